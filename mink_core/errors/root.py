"""The root, and what has no facts of its own."""

from __future__ import annotations

from typing import Any


class MinkError(Exception):
    """The root of every error raised by Mink."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state: the constructors take fields, not a message."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(kind: type[MinkError], args: tuple[Any, ...], state: dict[str, Any]) -> MinkError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def words_of(error: BaseException) -> str:
    """What an error of the user's says, also where its own `__str__` fails: that must not take the place of the error."""
    try:
        return str(error)
    except Exception as failed:  # noqa: BLE001 -- whatever it raises
        return f"its __str__ raised {type(failed).__name__}"


class UsageError(MinkError, ValueError):
    """An argument is wrong. It was refused before anything was sent or stored."""


class StoreClosedError(MinkError):
    """The store, transaction or subscription was closed and cannot be used any more."""


class SchemaError(MinkError):
    """The storage is not initialized, or its schema is newer or older than this code knows."""
