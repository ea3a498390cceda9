"""Moving without stopping, as docs/scale-out.md has it: the page's own code, with writers at work all the while."""

from __future__ import annotations

import re
import textwrap
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent, Store, open_store
from mink_core.registry import open_administration
from mink_core.transfer import Digests

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs" / "scale-out.md").read_text("utf-8")
FOLLOW = textwrap.dedent(re.search(r" *```python\n(.*?)```", PAGE, re.DOTALL)[1])


def page_code() -> Any:
    names: dict[str, Any] = {}
    exec(compile(FOLLOW, "docs/scale-out.md", "exec"), names)
    return names["follow"]


def dies_when(is_time: Callable[[], bool]) -> Callable[[], bool]:
    def may_end() -> bool:
        if is_time():
            raise KeyboardInterrupt
        return False

    return may_end


def digests(store: Store) -> Digests:
    found = Digests()
    for event in store.read_all():
        found.add(event)
    return found


def test_a_store_is_followed_and_cut_over(postgres_url: str, schema: str, url: str) -> None:
    follow = page_code()
    stop, stopped = threading.Event(), threading.Event()
    versions: dict[str, int] = {}

    def write(store: Store) -> None:
        try:
            for number in count():
                if stop.is_set() and number > 100:
                    return
                stream = f"order-{number % 7}"
                events = [NewEvent("Placed", {"n": number}), NewEvent("Paid", {"n": number})][: 1 + number % 2]
                known = versions.get(stream, 0)
                versions[stream] = store.append(stream, events, expected_version=known).last_version
        finally:
            stopped.set()

    with open_store(f"{postgres_url}?schema={schema}") as old, open_administration(url) as target:
        old.initialize()
        target.migrate()
        writer = threading.Thread(target=write, args=(old,))
        writer.start()
        try:
            # The follower dies once, and begins where nothing tells it how far it came.
            with pytest.raises(KeyboardInterrupt):
                follow(old, target, 0, dies_when(lambda: sum(versions.values()) > 50))
            threading.Timer(0.3, stop.set).start()
            reached = follow(old, target, 0, stopped.is_set)
        finally:
            stop.set()
            writer.join()
        assert reached == old.head_position()
        with open_store(url) as new:
            before, after = digests(old), digests(new)
            assert before.events > 50
            assert (before.order, dict(before.streams)) == (after.order, dict(after.streams))
            # A checkpoint in the old store is the number of events up to it in the new one.
            old_feed, new_feed = list(old.read_all()), list(new.read_all())
            assert [event.global_position for event in new_feed] == list(range(1, len(new_feed) + 1))
            middle = old_feed[len(old_feed) // 2]
            moved = sum(event.global_position <= middle.global_position for event in old_feed)
            assert new_feed[moved - 1].event_id == middle.event_id
            # Whoever decided on a version of the old store appends to the new one.
            result = new.append("order-1", [NewEvent("Shipped", {})], expected_version=versions["order-1"])
            assert result.last_version == versions["order-1"] + 1
