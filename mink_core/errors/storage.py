"""A storage that failed."""

from __future__ import annotations

from mink_core.errors.root import MinkError


class StorageError(MinkError):
    """The storage failed, and trying again is not expected to help.

    Attributes:
        sqlstate: The database's five-character error code, where it has one.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        """Keep the code beside the message."""
        super().__init__(message)
        self.sqlstate = sqlstate


class TransientStorageError(StorageError):
    """The storage failed for the moment. Nothing was stored; the same call may be retried."""


class OutcomeUnknownError(StorageError):
    """The reply was lost: the call may or may not have been stored.

    Attributes:
        retry_is_safe: Whether the same call, made again with the same arguments (event ids too), takes effect
            at most once. A repeated append then gives the first one's result (APPEND-09); other calls may tell
            a conflict with what the first one did.
    """

    def __init__(self, message: str, *, retry_is_safe: bool, sqlstate: str | None = None) -> None:
        """Add to the message what the caller may do."""
        what = (
            "repeat the same call, an append with the same events: it takes effect at most once"
            if retry_is_safe
            else "repeated, it could take effect twice: look first whether it was stored"
        )
        super().__init__(f"{message}; {what}", sqlstate=sqlstate)
        self.retry_is_safe = retry_is_safe
