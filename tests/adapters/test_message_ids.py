"""An append whose outbox message ids are known: what it is told first (OUTBOX-01, APPEND-09, PRIV-01, PRIV-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    ConcurrencyError,
    DuplicateMessageError,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    StreamTombstonedError,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

NO_STREAM = ExpectedVersion.NO_STREAM
WHO = {"by": "officer", "reason": "ticket 7"}
ONE_AND_SEVERAL = pytest.mark.parametrize("count", [1, 3])


def made(count: int) -> list[NewEvent]:
    return [NewEvent("Made", n) for n in range(count)]


@ONE_AND_SEVERAL
@pytest.mark.parametrize("unique", [False, True])
def test_a_conflict_is_told_before_the_message_id(door: Door, count: int, unique: bool) -> None:
    """So that who decides again after a conflict does, as without messages; the id is told where it would be stored."""

    async def scenario(script: Script) -> None:
        store, message = script.store, OutboxMessage("t", 1)
        await script(store.append("a-1", made(count), expected_version=NO_STREAM, outbox=message))
        with pytest.raises(ConcurrencyError) as caught:
            await script(store.append("a-1", made(count), expected_version=NO_STREAM, outbox=message))
        assert caught.value.actual == count
        with pytest.raises(DuplicateMessageError) as refused:
            await script(store.append("a-1", made(count), expected_version=count, outbox=message))
        assert refused.value.message_id == message.message_id
        assert (await script(store.stream_info("a-1"))).version == count

        async def work(tx: Any) -> None:  # and the transaction goes on
            with pytest.raises(DuplicateMessageError):
                await script(tx.append("a-1", made(count), expected_version=count, outbox=message))
            await script(tx.append("a-1", made(1), expected_version=count))

        await script.in_transaction(work)
        assert (await script(store.stream_info("a-1"))).version == count + 1

    play(door, scenario, unique_event_ids=unique)


@ONE_AND_SEVERAL
def test_a_repeat_to_a_stream_that_was_deleted_before(door: Door, count: int) -> None:
    async def scenario(script: Script) -> None:
        store, events, message = script.store, made(count), OutboxMessage("t", 1)
        await script(store.append("a-1", made(2), expected_version=NO_STREAM))
        await script(store.privacy.soft_delete("a-1", **WHO))
        first = await script(store.append("a-1", events, expected_version=NO_STREAM, outbox=message))
        assert first.first_version == 3
        assert await script(store.append("a-1", events, expected_version=NO_STREAM, outbox=message)) == first
        await script(store.privacy.tombstone("a-1", **WHO))
        with pytest.raises(StreamTombstonedError):
            await script(store.append("a-1", events, expected_version=NO_STREAM, outbox=message))

    play(door, scenario, privacy=True)
