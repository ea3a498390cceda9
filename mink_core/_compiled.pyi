from collections.abc import Callable
from typing import Any

def is_plain_json(value: object, levels: int, /) -> bool: ...

class DecodedField:
    def __init__(
        self,
        slot: object,
        undecoded: type,
        decode: Callable[[Any], object],
        fget: Callable[[Any], object],
        or_empty: bool,
        /,
    ) -> None: ...
