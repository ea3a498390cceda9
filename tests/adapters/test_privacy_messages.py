"""Which outbox messages a purge deletes: those of the events that it removes, and no others (PRIV-05)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core import OutboxMessage
from tests.adapters.rewriting import WHO, made
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def test_a_purge_deletes_the_messages_of_what_it_removes(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        old, new, other = made(1), made(2), made(3)
        await script(store.append("a-1", old, expected_version=0, outbox=[OutboxMessage("t", "old", ordered=True)]))
        await script(store.append("a-1", new, expected_version=1, outbox=[OutboxMessage("t", "new", ordered=True)]))
        await script(store.append("b-1", other, expected_version=0, outbox=[OutboxMessage("t", "other")]))
        await script(
            store.outbox.add(
                [
                    OutboxMessage("t", "old, in another stream", stream_id="c-1", event_id=old[0].event_id),
                    OutboxMessage("t", "old, in none", event_id=old[0].event_id),
                    OutboxMessage("t", "of no event", stream_id="a-1"),
                    OutboxMessage("t", "of another's event", stream_id="a-1", event_id=other[0].event_id),
                    OutboxMessage("t", "new, in another stream", stream_id="c-1", event_id=new[0].event_id),
                    OutboxMessage("t", "of nothing"),
                ]
            )
        )
        [head, *_] = await script(store.outbox.claim("w", limit=1))
        assert head.payload == "old"

        record = await script(store.privacy.purge("a-1", up_to_version=1, **WHO))
        assert record.counts["messages"] == 5
        left = [message.payload for message in await script(store.outbox.list())]
        assert sorted(left) == ["new", "new, in another stream", "of nothing", "other"]
        claimed = await script(store.outbox.claim("w"))  # the one behind it is the first of its stream now
        assert sorted(message.payload for message in claimed) == sorted(left)

        assert (await script(store.privacy.purge("a-1", **WHO))).counts["messages"] == 2
        assert sorted(message.payload for message in await script(store.outbox.list())) == ["of nothing", "other"]

    play(door, scenario, privacy=True)
