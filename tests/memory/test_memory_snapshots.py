"""A snapshot is looked for by what of its stream is gone at that moment, and not a moment before (PRIV-04)."""

import asyncio

import pytest

from mink_core import ExpectedVersion, NewEvent
from mink_memory import AsyncMemoryEventStore, MemoryEventStore, forget
from mink_memory.log import MemoryLog

BOTH = [NewEvent("Made", number) for number in (1, 2)]


@pytest.fixture
def beside(monkeypatch):
    """What another caller does while a load is on its way to the log."""
    acts, change = [], MemoryLog.change

    def late(log, wanted, clock):
        while acts:
            acts.pop()()
        return change(log, wanted, clock)

    monkeypatch.setattr(MemoryLog, "change", late)
    return acts


@pytest.fixture
def name():
    yield "looked-at"
    forget("looked-at")


def purge_and_save_late(name):
    """Whoever had read the stream before it was purged saves its state afterwards."""
    with MemoryEventStore(name, privacy=True) as other:
        other.privacy.purge("a-1", by="them")
        other.snapshots.save("a-1", 2, {"of": "the purged"})


@pytest.mark.parametrize("load", ["load", "load_with_tail"])
def test_a_late_snapshot_is_not_given_out_to_who_looks_meanwhile(name, beside, load):
    with MemoryEventStore(name) as store:
        store.append("a-1", BOTH, expected_version=ExpectedVersion.NO_STREAM)
        beside.append(lambda: purge_and_save_late(name))
        found = getattr(store.snapshots, load)("a-1")
        assert beside == []
        assert (found if load == "load" else found.snapshot) is None


@pytest.mark.parametrize("load", ["load", "load_with_tail"])
def test_a_late_snapshot_is_not_given_out_to_who_looks_meanwhile_async(name, beside, load):
    async def run():
        async with AsyncMemoryEventStore(name) as store:
            await store.append("a-1", BOTH, expected_version=ExpectedVersion.NO_STREAM)
            beside.append(lambda: purge_and_save_late(name))
            return await getattr(store.snapshots, load)("a-1")

    found = asyncio.run(run())
    assert beside == []
    assert (found if load == "load" else found.snapshot) is None
