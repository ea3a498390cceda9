"""What happens to an event between the caller and the JSON that is stored.

A transform is where typed payloads, upcasting and field encryption live. A store is opened with
a list of them; events go out through it in order, and come back in through it reversed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from mink_core.errors import StorageError, StoreClosedError, UnreadableEventError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import NewEvent, StoredEvent


class EventTransform(Protocol):
    """Changes `data` and `metadata` on the way to and from the store.

    A retry after a lost reply is recognized by its stored content (APPEND-09), so `outgoing` must
    give the same content for the same event each time. An encrypting transform derives its nonce
    from `event.event_id` rather than drawing one.
    """

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        """The event to store. Keeps the event's id and type."""
        ...

    def incoming(self, event: StoredEvent) -> StoredEvent:
        """The event to hand to the reader. Keeps what identifies it: stream, version, position, id."""
        ...


def checked_transforms(given: object) -> tuple[EventTransform, ...]:
    """What a store was given, once it is known to be transforms.

    Raises:
        UsageError: It is no series of objects with both methods.
    """
    found: tuple[Any, ...] | None = tuple(given) if isinstance(given, Iterable) else None
    wrong = [given] if found is None else [one for one in found if not _is_transform(one)]
    if found is None or wrong:
        msg = f"transforms must be a list of objects with the methods outgoing and incoming, unlike {wrong[0]!r:.60}; nothing was opened"
        raise UsageError(msg)
    return found


def _is_transform(value: object) -> bool:
    # Not a class: TypedPayloads has both methods, and its object was meant.
    return not isinstance(value, type) and all(callable(getattr(value, way, None)) for way in ("outgoing", "incoming"))


def apply_outgoing(transforms: Sequence[EventTransform], stream_id: str, event: NewEvent) -> NewEvent:
    """Send an event through every transform, in order."""
    for transform in transforms:
        event = transform.outgoing(stream_id, event)
    return event


def apply_incoming(transforms: Sequence[EventTransform], event: StoredEvent) -> StoredEvent:
    """Send an event back through every transform, in reverse order.

    Raises:
        UnreadableEventError: One of them raised. What tells of a storage, where keys are kept say, passes as it is.
    """
    stored = event
    try:
        for transform in reversed(transforms):
            event = transform.incoming(event)
    except (StorageError, StoreClosedError):
        raise
    except Exception as error:
        raise UnreadableEventError(stored, error) from error
    return event
