"""Where no thread is to be had, a worker says so, holds nothing, and can be closed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mink_memory import MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = "can't start new thread"
LEASE = 60.0


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """No thread of that name, and none that comes after it."""

    def install(name: str) -> None:
        begin, is_full = threading.Thread.start, False

        def start(thread: threading.Thread) -> None:
            nonlocal is_full
            is_full = is_full or thread.name == name
            if is_full:
                raise RuntimeError(REFUSED)
            begin(thread)

        monkeypatch.setattr(threading.Thread, "start", start)

    return install


@pytest.mark.parametrize("full_at", ["mink subscription s 0", "mink subscription s 1"])
def test_a_worker_without_threads_for_its_partitions_says_so_and_holds_none(
    refusing: Callable[[str], None], full_at: str
) -> None:
    with MemoryEventStore() as store:
        worker = store.subscription("s", lambda _: None, partitions=2, lease_seconds=LEASE)
        refusing(full_at)
        worker.start()
        assert worker.wait(30)
        with pytest.raises(RuntimeError, match=REFUSED):
            worker.close()
        assert [part.owner for status in store.subscriptions.list() for part in status.partitions] == [None] * 2
        assert not [it for it in threading.enumerate() if it.name.startswith("mink subscription")]


def test_a_worker_that_could_not_start_is_closed_and_has_ended(refusing: Callable[[str], None]) -> None:
    with MemoryEventStore() as store:
        worker = store.subscription("s", lambda _: None)
        refusing("mink subscription s")
        with pytest.raises(RuntimeError, match=REFUSED):
            worker.start()
        worker.close()
        assert worker.wait(0)
