"""What is done for every value stored and looked at, in C where that was compiled; without it all means the same.

`hatch_build.py` compiles `_compiled.c` when the project is installed. Where there is no compiler, or `MINK_PURE_PYTHON=1` was
set then or is set now, Python does it alone ([decision 132](../docs/decisions/0132-one-walk-in-c.md)).
"""

from __future__ import annotations

import os
from collections.abc import Callable  # noqa: TC003 -- the type of what is public here
from contextlib import suppress
from typing import Any


def _look_closely(value: object, levels: int, /) -> bool:
    del value, levels
    return False


is_compiled = False
"""Whether it is in C."""

is_plain_json: Callable[[object, int], bool] = _look_closely
"""Whether a value is JSON that an encoder writes as it is, with so many dicts and lists in each other at most.

Exactly dict with str keys, list, str, int of signed 64 bits, float below 1e16, bool and None. True where that is certain.
False where the value has to be looked at closely, which tells what is wrong with it, if anything is: in Python always.
"""

DecodedField: Callable[[object, type, Callable[[Any], object], Callable[[Any], object], bool], object] | None = None
"""Makes the attribute of a class that decodes what a slot holds when it is first looked at; None where Python does.

Of the slot, the type of what is undecoded, what decodes it, the property's function that does the same and has its docstring, and
whether `{}` takes the place of null.
"""

if os.environ.get("MINK_PURE_PYTHON") != "1":
    with suppress(ImportError, AttributeError):  # the second where it is of another source, and lacks what is wanted
        from mink_core import _compiled

        is_plain_json, DecodedField, is_compiled = _compiled.is_plain_json, _compiled.DecodedField, True
