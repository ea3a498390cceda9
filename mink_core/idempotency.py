"""Idempotency: a key runs once, and everybody who comes with it gets the first one's response (rule IDEM)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID  # noqa: TC003 -- as above

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

RESERVED_FOR = 300.0
"""Seconds that a reservation lasts, unless told otherwise."""
COMPLETED_FOR = 86_400.0
"""Seconds that a response is kept, unless told otherwise."""


class IdempotencyRecord(msgspec.Struct, frozen=True):
    """What is stored under a key."""

    key: str
    completed: bool
    """False: it is reserved, and somebody works on it."""
    response: Any
    """Any JSON value; None until it is completed."""
    stream_id: str | None
    """The stream that the work was for, as given at `reserve`."""
    metadata: dict[str, Any]
    """As given at `reserve`."""
    reserved_at: datetime
    completed_at: datetime | None
    expires_at: datetime
    """From then on the key is free. Aware, in UTC, by the storage's clock, as the others."""


class Reservation(msgspec.Struct, frozen=True):
    """The answer to `reserve`."""

    record: IdempotencyRecord
    """What is stored under the key now: ours, or the other's."""
    token: UUID | None
    """Ours alone, to complete or release it with; None where somebody else has or had the key."""

    @property
    def is_mine(self) -> bool:
        """Whether to do the work."""
        return self.token is not None


class IdempotencyStore(Protocol):
    """Keys of work that must be done once. Also on a transaction.

    In a transaction, a second caller's `reserve` waits for the first one's commit or rollback.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.IDEMPOTENCY`.
    """

    def reserve(
        self,
        key: str,
        *,
        ttl: float = RESERVED_FOR,
        stream_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        wait: float = 0.0,
    ) -> Reservation:
        """Take a key, if nobody has it (IDEM-01).

        Args:
            key: 1 to 500 characters. Choose it by the request, not by its content: two equal
                orders are two orders.
            ttl: Seconds until the reservation expires by the server's clock, above 0.
            stream_id: The stream that the work is for; comes back, and finds it for privacy.
            metadata: A JSON object; comes back.
            wait: Where somebody works on the key: seconds to wait for the response, or for the key
                to come free and be ours.

        Returns:
            Ours (`is_mine`), or what the other has stored: completed with the response, or still
            reserved.
        """
        ...

    def complete(self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR) -> IdempotencyRecord:
        """Store the response, any JSON value, and keep it for `ttl` seconds.

        Raises:
            LeaseLostError: The reservation has expired, or the key is somebody else's; nothing was stored.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Give the key back without a response: the next caller may do the work.

        Raises:
            LeaseLostError: The reservation has expired, or the key is somebody else's; nothing was changed.
        """
        ...

    def get(self, key: str) -> IdempotencyRecord | None:
        """What is stored under a key; None where there is nothing, or it has expired."""
        ...

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """The keys that have not expired, in code point order, after `after`."""
        ...

    def purge(self, *, limit: int = 1000) -> int:
        """Delete what has expired, and only that; tells how many, at most `limit`: call again until it is 0."""
        ...


class AsyncIdempotencyStore(Protocol):
    """`IdempotencyStore` for asyncio."""

    async def reserve(
        self,
        key: str,
        *,
        ttl: float = RESERVED_FOR,
        stream_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        wait: float = 0.0,
    ) -> Reservation:
        """See `IdempotencyStore.reserve`."""
        ...

    async def complete(
        self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR
    ) -> IdempotencyRecord:
        """See `IdempotencyStore.complete`."""
        ...

    async def release(self, reservation: Reservation) -> None:
        """See `IdempotencyStore.release`."""
        ...

    async def get(self, key: str) -> IdempotencyRecord | None:
        """See `IdempotencyStore.get`."""
        ...

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """See `IdempotencyStore.list`."""
        ...

    async def purge(self, *, limit: int = 1000) -> int:
        """See `IdempotencyStore.purge`."""
        ...
