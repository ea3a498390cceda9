"""A forked process is refused its parent's store, and waits for no thread that it has not. Each in a process of its own."""

from __future__ import annotations

import pytest

from tests import forking

HEAD = """
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
url, leave = sys.argv[1], os._exit
"""

THREADS = """
store = JetStreamEventStore(url)
store.append("a-1", [NewEvent("Made", 1)], expected_version=0)
lazy = JetStreamEventStore(url)

def child():
    with refused():
        store.append("a-1", NEW, expected_version=ANY)
    with refused():
        store.head_position()
    with refused():
        list(store.read_all())
    store.close()
    assert lazy.append("a-1", [NewEvent("Made", 2)], expected_version=1).last_version == 2
    lazy.close()

with store._portal._guard:  # as another thread may have it
    assert forked(child) == 0
assert store.append("a-1", [NewEvent("Made", 3)], expected_version=2).last_version == 3
store.close()
lazy.close()
"""

TASKS = """
loop = asyncio.new_event_loop()
store = AsyncJetStreamEventStore(url)
loop.run_until_complete(store.append("a-1", [NewEvent("Made", 1)], expected_version=0))

beginning = AsyncJetStreamEventStore(url)
ping = loop.create_task(beginning.ping())
while beginning._connection._opening is None:
    loop.run_until_complete(asyncio.sleep(0))

async def in_child():
    with refused():
        await asyncio.wait_for(beginning.ping(), 20)
    with refused():
        await store.append("a-1", NEW, expected_version=ANY)
    with refused():
        await store.head_position()
    with refused():
        await store.ping()
    await store.close()
    async with AsyncJetStreamEventStore(url) as own:
        await own.append("a-1", [NewEvent("Made", 2)], expected_version=1)

assert forked(lambda: asyncio.run(in_child())) == 0
loop.run_until_complete(ping)
loop.run_until_complete(beginning.close())
loop.run_until_complete(store.append("a-1", [NewEvent("Made", 3)], expected_version=2))
loop.run_until_complete(store.close())
loop.close()
"""

OWN_SERVER = """
loop = asyncio.new_event_loop()
store = AsyncJetStreamEventStore("nats+embedded://")
loop.run_until_complete(store.initialize())
loop.run_until_complete(store.append("a-1", NEW, expected_version=0))
following = store.subscribe()
loop.run_until_complete(anext(aiter(following)))
assert store._wakeups._task is not None

assert forked(lambda: asyncio.run(asyncio.wait_for(store.close(), 20))) == 0
loop.run_until_complete(store.append("a-1", NEW, expected_version=1))
loop.run_until_complete(store.close())
loop.close()
"""


@pytest.mark.parametrize("program", [pytest.param(THREADS, id="threads"), pytest.param(TASKS, id="tasks")])
def test_a_child_is_refused_and_the_parent_goes_on(store, url: str, program: str) -> None:
    forking.run(HEAD, program, argument=url)


@pytest.mark.usefixtures("nats_url")
def test_a_child_that_closes_ends_neither_its_parent_s_server_nor_its_tasks() -> None:
    forking.run(HEAD, OWN_SERVER)
