"""Privacy operations on every door: refused unless asked for, audited, and no reader skips or repeats an event."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import Capability, CapabilityNotSupportedError, ExpectedVersion, StreamNotFoundError, UsageError
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.rewriting import WHO, made

ANY = ExpectedVersion.ANY


def test_refused_unless_the_store_was_opened_for_it(door: Door) -> None:
    async def scenario(script: Script) -> None:
        assert Capability.PRIVACY not in script.store.capabilities
        with pytest.raises(CapabilityNotSupportedError, match="privacy=True"):
            script.store.privacy.tombstone("a-1", by="x")

    play(door, scenario)


def test_the_audit_is_complete_and_paged(door: Door) -> None:
    """T27: a limit is kept to as given, and means the same in every adapter."""

    async def scenario(script: Script) -> None:
        privacy = script.store.privacy
        for number in range(3):
            await script(privacy.tombstone(f"a-{number}", by="x"))
        with pytest.raises(StreamNotFoundError):
            await script(privacy.purge("none-1", by="x"))
        records = await script(privacy.audit())
        assert [record.stream_id for record in records] == ["a-0", "a-1", "a-2"]
        assert records[0].done_at.utcoffset().total_seconds() == 0
        assert [r.stream_id for r in await script(privacy.audit(after=records[0].number, limit=1))] == ["a-1"]
        assert [r.stream_id for r in await script(privacy.audit(stream_id="a-2"))] == ["a-2"]
        assert await script(privacy.audit(limit=0)) == []
        assert len(await script(privacy.audit(limit=10**6))) == 3
        for wrong in (
            lambda: privacy.tombstone("-a", by="x"),
            lambda: privacy.tombstone("a-1", by=""),
            lambda: privacy.redact("a-1", 0, by="x"),
            lambda: privacy.redact("a-1", None, by="x"),
            lambda: privacy.redact("a-1", 1, data={1, 2}, by="x"),
            lambda: privacy.redact("a-1", 1, metadata=[1], by="x"),
            lambda: privacy.audit(limit=-1),
        ):
            with pytest.raises(UsageError):
                await script(wrong())
        with pytest.raises(UsageError, match=r"^up_to_version must be an int from 1"):
            await script(privacy.purge("a-1", up_to_version=True, by="x"))

    play(door, scenario, privacy=True)


def test_a_subscriber_skips_nothing_and_sees_nothing_twice(door: Door) -> None:
    """T3: redacting and purging while others write; the reader goes by position alone."""

    async def scenario(script: Script) -> None:
        store = script.store
        for number in range(1, 21):
            await script(store.append(f"a-{number % 4}", made(number), expected_version=ANY))

        async def with_open_writer(tx: Any) -> None:
            await script(tx.append("open-1", made(0), expected_version=ANY))
            position, seen = 0, []
            for step in range(1, 30):
                page = await script(store.poll(position, limit=3))
                seen += [event.data["n"] for event in page.events]
                position = page.next_position
                if step == 2:
                    # Behind the reader, and before it: 1 to 6 were given out.
                    await script(store.privacy.redact("a-1", 1, data={"n": -1}, **WHO))
                    await script(store.privacy.redact("a-3", 3, data={"n": -11}, **WHO))
            assert seen == [*range(1, 11), -11, *range(12, 21)]

        await script.in_transaction(with_open_writer)
        await script(store.privacy.purge("a-2", **WHO))
        seen = [event.data["n"] for event in (await script(store.poll(0))).events]
        assert seen == [n for n in [-1, *range(2, 11), -11, *range(12, 21), 0] if n % 4 != 2 or n < 0]
        assert not inspect.iscoroutinefunction(store.poll) or door.is_async

    play(door, scenario, privacy=True)
