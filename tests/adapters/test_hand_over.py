"""A commit held open at each step of a partition's change of hands: never two owners commit (SUB-09)."""

from __future__ import annotations

import threading
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, LeaseLostError, NewEvent, open_store
from tests.adapters.ageing import pass_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mink_core import Store

NAME = "s"


@pytest.fixture(params=["memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    return f"{request.getfixturevalue('postgres_url')}?schema={request.getfixturevalue('schema')}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        opened.initialize()
        opened.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)
        yield opened


def hold(store: Any, owner: str, seconds: float = 30, partitions: int = 2) -> Any:
    return store.subscriptions.hold(NAME, owner, partitions=partitions, seconds=seconds)


class Beside:
    """A call in a thread, which may have to wait."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 -- looked at by the test
            self.error = error

    def waits(self) -> bool:
        self._thread.join(0.2)
        return self._thread.is_alive()

    def end(self) -> BaseException | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.error


def test_a_stale_owner_that_has_saved_and_not_committed_keeps_its_partition(store: Store, url: str) -> None:
    """Its time runs out between its save and its commit: nobody takes over under it, and nobody waits for it."""
    old = hold(store, "old", seconds=30).leases
    with store.transaction() as tx:
        tx.checkpoints.save("s#0/2", 1, expected=None, lease=old[0])
        pass_time(store, url, 40)
        taken = hold(store, "new").leases  # a beat that waited for this transaction would never come back
        assert [lease.partition for lease in taken] == [1]
    taken = hold(store, "new").leases
    assert [lease.partition for lease in taken] == [0, 1]
    found = store.checkpoints.load("s#0/2")
    assert found is not None
    assert found.position == 1  # what the old owner committed is where the new one goes on
    store.checkpoints.save("s#0/2", 2, expected=1, lease=taken[0])


@pytest.mark.parametrize("commits", [True, False])
def test_a_save_waits_for_a_take_over_in_flight(store: Store, url: str, commits: bool) -> None:
    """The new owner's take-over is held open: the old one's save is decided by how that ends."""
    old = hold(store, "old", seconds=30).leases
    store.checkpoints.save("s#0/2", 1, expected=None, lease=old[0])
    pass_time(store, url, 40)
    with ExitStack() as stack:
        tx = stack.enter_context(store.transaction())
        assert len(hold(tx, "new").leases) == 2
        late = Beside(lambda: store.checkpoints.save("s#0/2", 2, expected=1, lease=old[0]))
        assert late.waits()
        if not commits:
            stack.pop_all().__exit__(KeyError, KeyError(), None)
    assert isinstance(late.end(), LeaseLostError if commits else type(None))
    found = store.checkpoints.load("s#0/2")
    assert found is not None
    assert found.position == (1 if commits else 2)


def test_a_stale_owner_s_effects_go_with_its_refused_checkpoint(store: Store, url: str) -> None:
    old = hold(store, "old", seconds=30, partitions=1).leases[0]
    pass_time(store, url, 40)

    def work() -> None:
        with store.transaction() as tx:
            tx.append("effect-1", [NewEvent("Effect", {})], expected_version=ExpectedVersion.ANY)
            assert hold(store, "new", partitions=1).leases  # between the effect and the checkpoint
            tx.checkpoints.save(NAME, 1, expected=None, lease=old)

    with pytest.raises(LeaseLostError):
        work()
    assert list(store.read_stream("effect-1")) == []
    assert store.checkpoints.load(NAME) is None


def test_a_rewind_waits_for_a_commit_under_way_and_refuses_later_ones(store: Store) -> None:
    lease = hold(store, "w", partitions=1).leases[0]
    with store.transaction() as tx:
        tx.checkpoints.save(NAME, 5, expected=None, lease=lease)
        rewind = Beside(lambda: store.subscriptions.rewind(NAME, 2))
        assert rewind.waits()
    assert rewind.end() is None
    found = store.checkpoints.load(NAME)
    assert found is not None
    assert found.position == 2
    with pytest.raises(LeaseLostError):
        store.checkpoints.save(NAME, 6, expected=2, lease=lease)


def test_a_released_partition_is_taken_only_with_what_was_committed(store: Store) -> None:
    """A partition moves to a worker that was added: hand back, take, load, without a gap."""
    first = hold(store, "a").leases
    store.checkpoints.save("s#1/2", 7, expected=None, lease=first[1])
    assert hold(store, "b").leases == ()
    found = hold(store, "a")
    assert found.surplus == {1}
    assert hold(store, "b").leases == ()  # not before it is handed back
    store.subscriptions.release(first[1])
    (moved,) = hold(store, "b").leases
    assert (moved.partition, moved.token > first[1].token) == (1, True)
    with pytest.raises(LeaseLostError):
        store.checkpoints.save("s#1/2", 8, expected=7, lease=first[1])
    store.checkpoints.save("s#1/2", 8, expected=7, lease=moved)


def test_two_savers_of_one_checkpoint_and_no_lease(store: Store) -> None:
    """Compare-and-set alone: the second waits for the first, and is refused."""
    with store.transaction() as tx:
        tx.checkpoints.save("c", 1, expected=None)
        second = Beside(lambda: store.checkpoints.save("c", 2, expected=None))
        assert second.waits()
    assert type(second.end()).__name__ == "CheckpointConflictError"
