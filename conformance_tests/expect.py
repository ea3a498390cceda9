"""What checks say by: each helper raises `CheckFailedError` with what was expected and what was seen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from conformance_tests.failure import CheckFailedError, tell

if TYPE_CHECKING:
    from collections.abc import Generator


def fail(what: str, *, expected: Any, seen: Any) -> NoReturn:
    """Say that a rule is broken."""
    raise CheckFailedError(what, expected, seen)


def true(condition: object, what: str, *, expected: Any = "true", seen: Any = "false") -> None:
    """Expect a condition to hold."""
    if not condition:
        fail(what, expected=expected, seen=seen)


def equal(seen: Any, expected: Any, what: str) -> None:
    """Expect equal values of the same types, at every depth: `1`, `1.0` and `True` differ."""
    if not same(seen, expected):
        fail(what, expected=expected, seen=seen)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and have the same types at every depth."""
    if isinstance(one, UUID) and isinstance(other, UUID):  # a driver may have a faster subclass
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    fields = getattr(type(one), "__struct_fields__", None) or getattr(type(one), "__dataclass_fields__", None)
    if fields is not None:
        return all(same(getattr(one, name), getattr(other, name)) for name in fields)
    return bool(one == other)


@contextmanager
def raises(kind: type[Exception], what: str = "", *, says: str = "", **fields: Any) -> Generator[None]:
    """Expect the block to raise this kind of error, with these fields exactly.

    Args:
        kind: The class; a subclass will do.
        what: What is tried, for the failure.
        says: A part of the error's message.
        fields: Attributes of the error, compared as by `equal`.
    """
    wanted = f"{kind.__name__}({', '.join(f'{name}={value!r}' for name, value in fields.items())})"
    if says:
        wanted += f" saying {says!r}"
    try:
        yield
    except kind as error:
        for name, value in fields.items():
            if not same(getattr(error, name, _MISSING), value):
                fail(f"{what or 'the error'}: its field {name!r}", expected=wanted, seen=_told(error, fields))
        if says not in str(error):
            fail(f"{what or 'the error'}: its message", expected=wanted, seen=repr(error))
    except CheckFailedError:
        raise
    except Exception as error:
        raise CheckFailedError(what or "the kind of error", wanted, _told(error, fields)) from error
    else:
        fail(what or "an error", expected=wanted, seen="no error")


_MISSING = object()


def _told(error: Exception, fields: dict[str, Any]) -> str:
    facts = ", ".join(f"{name}={getattr(error, name)!r}" for name in fields if hasattr(error, name))
    return f"{type(error).__name__}({facts}): {tell(error)}"
