"""A forked process has a copy of a memory store; what other threads had under way in it is not waited for."""

from __future__ import annotations

import pytest

from tests import forking

HEAD = "from mink_memory import AsyncMemoryEventStore, MemoryEventStore"

A_COPY = """
store = MemoryEventStore("shared")
store.append("a", NEW, expected_version=0)

def child():
    assert store.append("a", NEW, expected_version=1).last_version == 2
    async def beside():
        async with AsyncMemoryEventStore("shared") as other:
            assert (await other.append("a", NEW, expected_version=2)).last_version == 3
    asyncio.run(beside())
    assert len(list(store.read_all())) == 3
    store.close()

assert forked(child) == 0
assert store.stream_info("a").version == 1
assert store.append("a", NEW, expected_version=1).last_version == 2
"""

OPEN_TRANSACTIONS = """
store = MemoryEventStore(lock_timeout=5)
begun, may_end, waits = threading.Event(), threading.Event(), threading.Event()
def hold():
    with store.transaction() as tx:
        tx.append("held", NEW, expected_version=0)
        begun.set()
        may_end.wait()
def wait():
    waits.set()
    store.append("held", NEW, expected_version=ANY)
threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
threads[0].start()
begun.wait()
threads[1].start()
waits.wait()
while not store._handle.log._locks._queues:
    pass
mine = store.transaction()
tx = mine.__enter__()
tx.append("mine", NEW, expected_version=0)

def child():
    assert store.append("held", NEW, expected_version=0).last_version == 1
    assert store.append("mine", NEW, expected_version=0).last_version == 1
    assert len(list(store.read_all())) == 2, "nothing is held back for those who are gone"
    with refused("parent", StoreClosedError):
        tx.append("mine", NEW, expected_version=ANY)
    store.close()

assert forked(child) == 0
tx.append("mine", NEW, expected_version=1)
mine.__exit__(None, None, None)
may_end.set()
for thread in threads:
    thread.join()
assert store.stream_info("held").version == 2 and store.stream_info("mine").version == 2
"""

IN_THE_MIDDLE = """
from datetime import UTC, datetime
begun, may_end = threading.Event(), threading.Event()
def clock():
    'Asked in the middle of an append.'
    if threading.current_thread() is not threading.main_thread():
        begun.set()
        may_end.wait()
    return datetime.now(UTC)
store = MemoryEventStore(clock=clock)
mine = store.transaction()
tx = mine.__enter__()
thread = threading.Thread(target=store.append, args=("a", NEW), kwargs={"expected_version": 0})
thread.start()
begun.wait()

def child():
    with refused("not whole"):
        store.append("b", NEW, expected_version=ANY)
    with refused("not whole"):
        list(store.read_all())
    with refused("not whole"):
        store.head_position()
    with refused("not whole"):
        tx.append("c", NEW, expected_version=0)
    store.close()
    with MemoryEventStore() as other:
        other.append("a", NEW, expected_version=0)

assert forked(child) == 0
may_end.set()
thread.join()
tx.append("c", NEW, expected_version=0)
mine.__exit__(None, None, None)
assert store.stream_info("a").version == store.stream_info("c").version == 1
"""

WORKERS = """
store = MemoryEventStore()
store.append("a", NEW, expected_version=0)
seen = threading.Event()
working = store.subscription("s", lambda event: seen.set(), poll_interval=0.01)
working.start()
waiting = store.subscription("t", lambda event: taken.append(event), poll_interval=0.01)
async def handle(event):
    pass
task = AsyncMemoryEventStore().subscription("u", handle)
seen.wait()
taken, owners = [], (waiting.owner, task.owner)

def child():
    assert working.wait()
    working.close()
    assert waiting.owner != owners[0] and task.owner != owners[1]
    waiting.start()
    while not taken:
        pass
    assert [it.partitions[0].owner for it in store.subscriptions.list() if it.name == "t"] == [waiting.owner]
    waiting.close()

assert forked(child) == 0
assert (waiting.owner, task.owner) == owners and not taken
assert not working.wait(0.05)
working.close()
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(A_COPY, id="a copy"),
        pytest.param(OPEN_TRANSACTIONS, id="open transactions"),
        pytest.param(IN_THE_MIDDLE, id="in the middle of an append"),
        pytest.param(WORKERS, id="workers"),
    ],
)
def test_a_forked_process(program: str) -> None:
    forking.run(HEAD, program)
