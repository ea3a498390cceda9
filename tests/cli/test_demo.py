"""`mink demo` on memory: it holds on a good store, and says so where a store is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mink_core import AppendResult, ExpectedVersion, MinkError, NewEvent, Page, StorageError
from mink_core.cli.demo.judging import Difference, compare
from mink_core.cli.demo.run import Target, put_to_work
from mink_memory.store import MemoryEventStore
from tests.cli.conftest import lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_core import Store
    from mink_core.cli.demo.outcome import Outcome
    from tests.cli.conftest import Mink

SECONDS = 0.6


def seen(*positions: int) -> list[tuple[int, UUID]]:
    return [(position, UUID(int=position)) for position in positions]


@pytest.mark.parametrize(
    ("got", "difference"),
    [
        (seen(1, 2, 3), Difference(0, 0, 0, 0)),
        (seen(1, 3), Difference(1, 0, 0, 0)),
        (seen(), Difference(3, 0, 0, 0)),
        (seen(1, 2, 2, 3), Difference(0, 1, 0, 0)),
        (seen(1, 3, 2), Difference(0, 0, 1, 0)),
        (seen(1, 2, 3, 4), Difference(0, 0, 0, 1)),
        ([*seen(1, 2), (3, uuid4())], Difference(1, 0, 0, 1)),
    ],
)
def test_the_comparison_sees_every_kind_of_difference(got: Any, difference: Difference) -> None:
    assert compare(got, seen(1, 2, 3)) == difference
    assert difference.is_none == (difference == Difference(0, 0, 0, 0))


def work_on(monkeypatch: pytest.MonkeyPatch, kind: type[MemoryEventStore], url: str) -> Outcome:
    monkeypatch.setattr("mink_core.cli.demo.run.open_store", lambda _: kind(url.removeprefix("memory://")))
    return put_to_work(Target("broken", url, [url], "opening"), SECONDS, lambda _: None)


def failed(outcome: Outcome) -> set[str]:
    return {check.name for check in outcome.checks if not check.held}


def test_all_is_done_and_holds_on_memory(url: str, store: Store) -> None:
    said: list[str] = []
    outcome = put_to_work(Target("memory", url, [url], "opening"), SECONDS, said.append)
    assert failed(outcome) == set()
    assert len(outcome.checks) == 9
    assert all(count > 0 for count in outcome.counts.values()), outcome.counts
    assert [(it.door, it.callers) for it in outcome.latencies] == [("sync", 1), ("sync", 16), ("async", 64)]
    assert all(it.appends > 0 and 0 < it.p50_ms <= it.p99_ms for it in outcome.latencies)
    assert said[0] == "opening"
    assert all(info.stream_id.startswith("demo-") for info in store.streams())


class Lossy(MemoryEventStore):
    def poll(self, after_position: int, **options: Any) -> Page:
        time.sleep(0.1)  # a page of one event loses none: on a busy machine they come one by one
        page = super().poll(after_position, **options)
        return Page(page.events[:1] + page.events[2:], page.next_position)


class Repeating(MemoryEventStore):
    def poll(self, after_position: int, **options: Any) -> Page:
        page = super().poll(after_position, **options)
        return Page([*page.events, *page.events[-1:]], page.next_position)


class Disordered(MemoryEventStore):
    def poll(self, after_position: int, **options: Any) -> Page:
        page = super().poll(after_position, **options)
        return Page([*page.events[1:2], *page.events[:1], *page.events[2:]], page.next_position)


class Heedless(MemoryEventStore):
    def append(self, stream_id: str, events: Iterable[NewEvent], *, expected_version: Any) -> AppendResult:
        return super().append(stream_id, events, expected_version=ExpectedVersion.ANY)


class Forgetful(MemoryEventStore):
    appends = 0

    def append(self, stream_id: str, events: Iterable[NewEvent], *, expected_version: Any) -> AppendResult:
        type(self).appends += 1
        if type(self).appends == 20:
            return AppendResult(stream_id, 1, 1, 1, 1, tuple(event.event_id for event in events))
        return super().append(stream_id, events, expected_version=expected_version)


FOLLOWERS = {"follower from the start", "follower from half, catching up", "follower from half, live only"}


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Lossy, FOLLOWERS),
        (Repeating, FOLLOWERS),
        (Disordered, {"follower from half, catching up"}),
        (Heedless, {"no update lost to a conflict", "conflicts happened, all resolved"}),
        (Forgetful, {"nothing acknowledged is missing"}),
    ],
)
def test_a_broken_store_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: type[MemoryEventStore], wrong: set[str]
) -> None:
    outcome = work_on(monkeypatch, kind, url)
    assert wrong <= failed(outcome), outcome.checks
    assert not outcome.held


def test_an_error_of_the_store_ends_the_demo(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    class Failing(MemoryEventStore):
        def append(self, *args: Any, **options: Any) -> AppendResult:
            msg = "disk full"
            raise StorageError(msg)

    with pytest.raises(StorageError, match="disk full"):
        work_on(monkeypatch, Failing, url)


def test_the_command_on_a_store_of_ones_own(mink: Mink, url: str) -> None:
    result = mink("demo", "--seconds", str(SECONDS), "--store", url, store_url=None)
    assert result.exit_code == 0, result.output
    assert "All 9 checks held, on memory" in result.stdout
    assert "a look, not a benchmark" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout


def test_the_command_as_json(mink: Mink) -> None:
    result = mink("--json", "demo", "--seconds", str(SECONDS), "--no-rules")
    assert result.exit_code == 0, result.output
    [found] = lines(result.stdout)
    assert found["held"] is True
    assert found["latencies"][0]["per_second"] > 0


def test_the_command_fails_where_a_check_does(mink: Mink, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("mink_core.cli.demo.run.open_store", lambda _: Lossy(url.removeprefix("memory://")))
    result = mink("demo", "--seconds", str(SECONDS), "--no-rules")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout


def test_without_a_server_it_says_so(mink: Mink, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoServerError(MinkError):
        pass

    def fail(url: str) -> None:
        assert url == "postgresql+embedded://"
        msg = "no PostgreSQL was found; tried:\n  - here\n  - there\npip install 'mink-eventstore[server]'"
        raise NoServerError(msg)

    monkeypatch.setattr("mink_core.cli.demo.run.open_store", fail)
    monkeypatch.setenv("MINK_STORE_URL", "memory://not-for-the-demo")
    result = mink("demo", store_url=None)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[1] == "  - here"
    assert "Traceback" not in result.output


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "1e9"])
def test_seconds_have_limits(mink: Mink, seconds: str) -> None:
    assert mink("demo", "--seconds", seconds).exit_code == 2
