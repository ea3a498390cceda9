"""What tests of privacy operations append, and how they look at a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ConcurrencyError, NewEvent
from tests.adapters.script import collected

if TYPE_CHECKING:
    from tests.adapters.script import Script

WHO = {"by": "officer", "reason": "ticket 7"}


def made(*numbers: int) -> list[NewEvent]:
    return [NewEvent("Made", {"n": n}, {"m": n}) for n in numbers]


async def numbers(script: Script, stream: str, **how: Any) -> list[tuple[int, int]]:
    return [(e.version, e.data["n"]) for e in await collected(script.store.read_stream(stream, **how))]


async def conflict(script: Script, stream: str, expected: Any) -> int:
    with pytest.raises(ConcurrencyError) as caught:
        await script(script.store.append(stream, made(0), expected_version=expected))
    return caught.value.actual
