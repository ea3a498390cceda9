"""JSON encoded and decoded once, for every adapter (rules JSON-01 to JSON-04).

What comes out compares equal to what went in and has the same types, at every depth. Accepted
are exactly dict with str keys, list, str, int, float, bool and None; everything else is refused
with the path to it, since a codec that converts in silence changes a history in silence.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from mink_core.compiled import is_plain_json
from mink_core.errors import UsageError
from mink_core.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable

JsonScalar: TypeAlias = "str | int | float | bool | None"
JsonValue: TypeAlias = "JsonScalar | list[JsonValue] | dict[str, JsonValue]"

_encode = msgspec.json.Encoder().encode
decode_json = msgspec.json.Decoder().decode
"""Decode what `encode_json` made; ints stay int, floats float."""

# From here on encoders write an exponent (1e16), which jsonb expands into an integer.
_EXPONENT = 1e16
_BACKSLASH = ord("\\")


def encode_json(value: object, what: str = "data") -> str:
    """Encode one JSON value.

    Args:
        value: The value.
        what: What to call it in an error: the path to a refused value starts with it.

    Returns:
        JSON text without an exponent in any number of 1e16 or above, so that a database that
        keeps numbers as decimals (jsonb) gives back a float for a float.

    Raises:
        UsageError: With the path to what is refused: any other type, a subclass included; NaN
            and the infinities; ints outside signed 64 bits; NUL and lone surrogates; more than
            `MAX_JSON_DEPTH` levels or `MAX_JSON_BYTES` bytes.
    """
    large = not is_plain_json(value, MAX_JSON_DEPTH) and _check_closely(value, what)
    try:
        text = _encode(_expand(value) if large else value)
    except UnicodeEncodeError:
        raise _refuse_text(value, what) from None
    if len(text) > MAX_JSON_BYTES:
        msg = f"{what} is {len(text)} bytes of JSON, above the limit of {MAX_JSON_BYTES}"
        raise UsageError(msg)
    # The search for one byte is seven times faster than that for six. The escape can also be an escaped backslash
    # before "u0000": only the slow look tells.
    if _BACKSLASH in text and b"\\u0000" in text and (error := _find_text(value, what)) is not None:
        raise error
    return text.decode()


def _check_closely(value: object, path: str) -> bool:
    """Check a value; tell whether it holds a float that needs `_expand`."""
    kind = type(value)
    if kind is dict or kind is list:
        return _check(value, MAX_JSON_DEPTH, path)
    try:
        return _check([value], 1, "")
    except UsageError:
        raise _refuse(value, path) from None


def _check(value: Any, depth: int, path: str) -> bool:  # noqa: C901, PLR0912 -- flat, as it runs for every value stored
    """Check a dict or list; tell whether it holds a float that needs `_expand`.

    The path is put together only while an error travels outwards.
    """
    if not depth:
        msg = f"{path} is nested deeper than the limit of {MAX_JSON_DEPTH} levels"
        raise UsageError(msg)
    large = False
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                msg = f"{path} has a key of type {type(key).__name__} ({key!r:.60}); only str keys are accepted"
                raise UsageError(msg)
        items: Iterable[Any] = value.values()
    elif type(value) is list:
        items = value
    else:
        raise _refuse(value, path)
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is int:
            if not -(2**63) <= item <= 2**63 - 1:
                raise _refuse_inside(value, item, path)
        elif kind is float:
            if not -_EXPONENT < item < _EXPONENT:  # also true of NaN
                if item - item != 0.0:
                    raise _refuse_inside(value, item, path)
                large = True
        elif kind is dict or kind is list:
            # A path made eagerly would cost more than the check; depth overruns name the top.
            try:
                if _check(item, depth - 1, ""):
                    large = True
            except UsageError as error:
                raise _prefix(error, value, item, path) from None
        elif item is not None and kind is not bool:
            raise _refuse_inside(value, item, path)
    return large


def _prefix(error: UsageError, parent: Any, child: Any, path: str) -> UsageError:
    return UsageError(f"{path}{_step(parent, child)}{error.args[0]}")


def _refuse_inside(parent: Any, child: Any, path: str) -> UsageError:
    return _refuse(child, f"{path}{_step(parent, child)}")


def _step(parent: Any, child: Any) -> str:
    pairs = parent.items() if type(parent) is dict else enumerate(parent)
    return next(f"[{key!r:.60}]" for key, item in pairs if item is child)


def _refuse(value: object, path: str) -> UsageError:
    if type(value) is int:
        why = f"{value:.6g} is outside the signed 64-bit integers" if abs(value) < 10**300 else "the integer is huge"
        return UsageError(f"{path}: {why}; store it as a str")
    if type(value) is float:
        return UsageError(f"{path}: {value!r} is not JSON; store null or a str")
    return UsageError(
        f"{path} is of type {type(value).__name__}; JSON is exactly dict with str keys, list, str, int, "
        "float, bool and None (no subclasses): convert it first, or open the store with a payload transform"
    )


def _refuse_text(value: object, what: str) -> UsageError:
    return _find_text(value, what) or UsageError(f"{what} holds text that is not valid Unicode")


def _find_text(value: object, path: str) -> UsageError | None:
    """Find the first str or key with a NUL or a lone surrogate."""
    if isinstance(value, str):
        for bad in value:
            if bad == "\0" or "\ud800" <= bad <= "\udfff":
                name = "NUL" if bad == "\0" else "the lone surrogate"
                return UsageError(f"{path} holds {name} ({bad!r}), which the storage cannot keep")
        return None
    if isinstance(value, dict):
        for key, item in value.items():
            inside = _find_text(key, f"{path}: the key {key!r:.60}") or _find_text(item, f"{path}[{key!r:.60}]")
            if inside is not None:
                return inside
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if (inside := _find_text(item, f"{path}[{index}]")) is not None:
                return inside
    return None


def _expand(value: Any) -> Any:
    """Copy a value with every large float written out: 1e16 as 10000000000000000.0."""
    kind = type(value)
    if kind is float and abs(value) >= _EXPONENT:
        return msgspec.Raw(f"{Decimal(repr(value)):f}.0".encode())
    if kind is dict:
        return {key: _expand(item) for key, item in value.items()}
    if kind is list:
        return [_expand(item) for item in value]
    return value
