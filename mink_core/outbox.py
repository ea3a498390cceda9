"""The outbox: messages stored with the events they tell of, published at least once (rule OUTBOX)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID  # noqa: TC003 -- as above

import msgspec

from mink_core.ids import random_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEASE = 30.0
"""Seconds that a claim lasts, unless told otherwise."""
MAX_ATTEMPTS = 10
"""Claims of a message before it is a dead letter, unless told otherwise."""


class OutboxMessage(msgspec.Struct, frozen=True):
    """A message to publish. Its id is made here, by the client, and travels with it."""

    destination: str
    """Where it goes, as the publisher understands it: a topic, a URL; 1 to 500 characters."""
    payload: Any
    """Any JSON value."""
    headers: dict[str, str] = {}
    """Sent along; `message-id` and `event-id` are put in by the claim."""
    message_id: UUID = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- never None after __post_init__
    """A random UUID when not given."""
    stream_id: str | None = None
    """The stream it belongs to; in an append, that of the append when not given."""
    event_id: UUID | None = None
    """The event it tells of; in an append, the first one when not given."""
    ordered: bool = False
    """Publish only after every earlier ordered message of the same stream (OUTBOX-04)."""
    delay: float = 0.0
    """Seconds before it is due."""
    max_attempts: int = MAX_ATTEMPTS
    """Claims before it is a dead letter, at least 1."""

    def __post_init__(self) -> None:
        """Make the id where the caller gave none."""
        if self.message_id is None:
            msgspec.structs.force_setattr(self, "message_id", random_id())


class MessageStatus(Enum):
    """Where a message stands."""

    PENDING = "pending"
    """Waits to be claimed."""
    CLAIMED = "claimed"
    """A worker has it, or had it and was not heard of again."""
    DONE = "done"
    """Published and acknowledged."""
    DEAD = "dead"
    """A dead letter: given up, waits for `requeue`."""


class StoredMessage(msgspec.Struct, frozen=True):
    """A message as the outbox has it."""

    position: int
    """In the order of storing, with holes."""
    message_id: UUID
    destination: str
    payload: Any
    headers: dict[str, str]
    """As added, with `message-id`, and `event-id` where it tells of an event: what consumers deduplicate by."""
    stream_id: str | None
    event_id: UUID | None
    ordered: bool
    status: MessageStatus
    attempts: int
    """How often it was claimed since it was added or requeued."""
    max_attempts: int
    due_at: datetime
    """When it may be claimed: after a delay, a backoff, or the end of a lease."""
    claimed_by: str | None
    """The worker that has it, or had it last."""
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    """When it was done or given up."""


class ClaimedMessage(StoredMessage, frozen=True):
    """A message that one worker has until its lease ends at `due_at`, by the server's clock."""

    token: int
    """Grows with each claim of the message: an acknowledgement with an older one is refused (OUTBOX-02)."""
    suspect: bool
    """The worker that had it before was not heard of again. Comes last in a claim, and one at a time."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of a claimed message."""

    message: ClaimedMessage
    error: str | None = None
    """None: it was published. Else why not: it is tried again after `retry_in`, or is a dead letter."""
    retry_in: float | None = None
    """Seconds until the next attempt; None for the default backoff."""
    give_up: bool = False
    """With an error: a dead letter at once, as no attempt can help."""
    untried: bool = False
    """It was not tried: due again at once, and the attempt does not count."""


class OutboxStore(Protocol):
    """Messages to publish. Also on a transaction, where everything is committed together.

    `append(…, outbox=[…])` stores messages with an append; `add` stores them by themselves.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.OUTBOX`.
    """

    def add(self, messages: OutboxMessage | Iterable[OutboxMessage]) -> None:
        """Store messages, all or none. A message that is stored already, unchanged, stays as it is.

        Raises:
            DuplicateMessageError: An id is stored with other content; nothing was stored.
            UsageError: A message is wrong; nothing was sent.
        """
        ...

    def claim(self, worker: str, *, limit: int = 100, lease: float = LEASE) -> Sequence[ClaimedMessage]:
        """Take due messages for this worker alone, until the lease ends (OUTBOX-02, OUTBOX-03).

        Never waits: what others are claiming is left out. A message whose attempts are used up
        becomes a dead letter here.

        On PostgreSQL neither this nor a verdict can be a part of a transaction at REPEATABLE READ or SERIALIZABLE: refused.

        Args:
            worker: Who claims, 1 to 200 characters; shown to operators.
            limit: At most so many, at least 1.
            lease: Seconds, above 0.

        Returns:
            In the order of storing; a suspect message, at most one, last.
        """
        ...

    def settle(self, verdicts: Iterable[Verdict]) -> Sequence[ClaimedMessage]:
        """Tell what became of claimed messages, several at once.

        Returns:
            Those that were refused, as their lease had passed: somebody else has them now, or will.
        """
        ...

    def complete(self, message: ClaimedMessage) -> None:
        """It was published.

        Raises:
            LeaseLostError: Its lease has passed; it stays as it is, and may be published again.
        """
        ...

    def fail(
        self, message: ClaimedMessage, error: str, *, retry_in: float | None = None, give_up: bool = False
    ) -> None:
        """It was not published: it is due again after a backoff, or a dead letter.

        Raises:
            LeaseLostError: Its lease has passed; it stays as it is.
        """
        ...

    def get(self, message_id: UUID) -> StoredMessage | None:
        """One message, None where there is none."""
        ...

    def list(self, *, status: MessageStatus | None = None, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """Messages in the order of storing, above position `after`."""
        ...

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """The messages that were given up, in the order of storing, above position `after`."""
        ...

    def requeue(self, message_id: UUID) -> bool:
        """Make a dead letter due at once, with all its attempts; False where it is none."""
        ...

    def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        """Delete messages that were done (with `dead`: or given up) so many seconds ago or earlier.

        Returns:
            How many were deleted, at most `limit`: call again until it is 0.
        """
        ...


class AsyncOutboxStore(Protocol):
    """`OutboxStore` for asyncio."""

    async def add(self, messages: OutboxMessage | Iterable[OutboxMessage]) -> None:
        """See `OutboxStore.add`."""
        ...

    async def claim(self, worker: str, *, limit: int = 100, lease: float = LEASE) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.claim`."""
        ...

    async def settle(self, verdicts: Iterable[Verdict]) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.settle`."""
        ...

    async def complete(self, message: ClaimedMessage) -> None:
        """See `OutboxStore.complete`."""
        ...

    async def fail(
        self, message: ClaimedMessage, error: str, *, retry_in: float | None = None, give_up: bool = False
    ) -> None:
        """See `OutboxStore.fail`."""
        ...

    async def get(self, message_id: UUID) -> StoredMessage | None:
        """See `OutboxStore.get`."""
        ...

    async def list(
        self, *, status: MessageStatus | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[StoredMessage]:
        """See `OutboxStore.list`."""
        ...

    async def dead_letters(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """See `OutboxStore.dead_letters`."""
        ...

    async def requeue(self, message_id: UUID) -> bool:
        """See `OutboxStore.requeue`."""
        ...

    async def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        """See `OutboxStore.purge`."""
        ...
