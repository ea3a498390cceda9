"""What the kit says to somebody who writes an adapter: the cause stands where they look first."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from conformance_tests import Level, run, target_of
from conformance_tests.report.terminal import show
from mink_core import Capability, CapabilityNotSupportedError, Direction, UsageError
from mink_core.adapter import SubStores
from mink_memory import MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conformance_tests import Report

_NOT_HERE = "made in another thread, and of use only there"


class _OfOneThread(MemoryEventStore):
    """As an adapter on a driver whose connections are their thread's own (sqlite3)."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self._thread = threading.get_ident()

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if threading.get_ident() != self._thread:
            raise RuntimeError(_NOT_HERE)
        return super().append(stream_id, events, expected_version=expected_version)


class _ChecksLate(MemoryEventStore):
    """A generator function: it looks at its arguments when its first event is asked for."""

    def read_stream(
        self, stream_id: str, *, after_version: int = 0, limit: int | None = None, direction: Any = Direction.FORWARD
    ) -> Iterator[Any]:
        yield from super().read_stream(stream_id, after_version=after_version, limit=limit, direction=direction)


class _FailsDeep(MemoryEventStore):
    def stream_info(self, stream_id: str) -> Any:
        return self._deeper(40)

    def _deeper(self, left: int) -> Any:
        if left:
            return self._deeper(left - 1) if left % 2 else self._other(left - 1)
        raise ZeroDivisionError

    def _other(self, left: int) -> Any:
        return self._deeper(left)


def _failures(opener: Callable[[str], Any], pattern: str) -> Report:
    with target_of(opener) as target:
        report = run(target, level=Level.SMOKE, seed=1, select=lambda check: check.matches(pattern))
    assert report.failures
    return report


def test_a_race_tells_what_its_callers_met_before_it_counts_winners() -> None:
    (failure,) = _failures(_OfOneThread, "one_wins_a_race").failures
    assert failure.expected == "ConcurrencyError"
    assert _NOT_HERE in failure.seen


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_fails_beside_a_subscription_is_told() -> None:
    (failure,) = _failures(_OfOneThread, "catch_up_hands_over_to_live").failures
    assert _NOT_HERE in failure.seen


@pytest.mark.parametrize("check", ["bad_stream_ids_and_types_are_refused", "wrong_arguments_of_reads_are_refused"])
def test_an_argument_that_is_looked_at_too_late_is_told_as_that(check: str) -> None:
    (failure,) = _failures(_ChecksLate, check).failures
    assert "read_stream" in failure.what
    assert "by the call itself" in failure.what


def test_a_long_traceback_keeps_its_end() -> None:
    out = io.StringIO()
    show(Console(file=out, width=100), _failures(_FailsDeep, "APPEND-10"))
    assert "raise ZeroDivisionError" in out.getvalue()


def test_a_target_with_a_wrong_line_is_told_by_that_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mistyped_adapter.py").write_text("def open_namespace(name):\nreturn 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"mistyped_adapter\.py, line 2") as raised:
        target_of("mistyped_adapter:open_namespace")
    assert "importlib" not in str(raised.value)


class _Declares(SubStores):
    adapter_name = "bare"
    capabilities = frozenset({Capability.SNAPSHOTS})


def test_a_sub_store_that_is_declared_and_not_there_is_told_as_that() -> None:
    with pytest.raises(CapabilityNotSupportedError, match="SNAPSHOTS: it is declared"):
        _ = _Declares().snapshots
    with pytest.raises(CapabilityNotSupportedError, match="does not offer SAGAS; nothing was done"):
        _ = _Declares().sagas


_one = MemoryEventStore()


@pytest.mark.parametrize(
    ("opener", "says"),
    [
        (lambda _: _one, "gave one store twice"),
        (lambda _: MemoryEventStore("told_of_every_namespace"), "the events of one namespace in another"),
        (lambda _: MemoryEventStore(), "two stores that share nothing"),
    ],
)
def test_a_target_that_opens_something_else_is_told_before_any_check(opener: Callable[[str], Any], says: str) -> None:
    with target_of(opener, name="mine") as target, pytest.raises(UsageError, match=says):
        run(target, level=Level.SMOKE)
