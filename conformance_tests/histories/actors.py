"""What an actor does, step by step, and how each call is written down. The same for both doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.histories.driving import Ask, Enter, Leave, Meet, Sleep
from conformance_tests.histories.history import Item
from conformance_tests.histories.program import (
    Again,
    Append,
    Batch,
    Head,
    Info,
    Poll,
    Read,
    ReadAll,
    Transact,
    Wait,
)
from mink_core import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from random import Random

    from conformance_tests.histories.driving import Request, Steps
    from conformance_tests.histories.history import Call, Placed
    from conformance_tests.histories.program import Op
    from conformance_tests.histories.scribe import Scribe

WHOLE = 10_000
"""A page that takes all of a history."""
_SHARED = 1_000_000
_PER_ACTOR = 10_000


class RolledBackError(Exception):
    """Leaves a transaction on purpose."""


class Actor:
    """One caller on one handle."""

    def __init__(self, number: int, store: Any, scribe: Scribe, start: int, random: Random) -> None:
        """Be ready; `start` is where the history's feed begins."""
        self.name = f"actor {number}"
        self._store = store
        self._scribe = scribe
        self._start = self._cursor = start
        self._random = random
        self._next_event = number * _PER_ACTOR
        self._versions: dict[str, int] = {}
        self._last: tuple[Item, ...] = ()
        self._batched = False
        self._transactions = 0
        self._number = number

    def rounds(self, rounds: Sequence[Sequence[Sequence[Op]]]) -> Steps:
        """All rounds, each begun together with the others."""
        for one in rounds:
            yield Meet()
            for op in one[self._number] if self._number < len(one) else ():
                yield Sleep(0)
                yield from self._do(op, self._store, None)

    def finish(self) -> Steps:
        """What every handle must show once all has ended: the whole feed, and its head."""
        self._cursor = self._start
        yield from self._poll(self._store, WHOLE, None)
        yield from self._call("head", Ask(self._store.head_position), {}, _number)

    def _do(self, op: Op, log: Any, tx: int | None) -> Generator[Request, Any, None]:
        match op:
            case Append():
                yield from self._append((yield from self._resolve((op,), log, tx)), log, tx, batched=False)
            case Batch(items):
                yield from self._append((yield from self._resolve(items, log, tx)), log, tx, batched=True)
            case Again():
                if self._last:
                    yield from self._append(self._last, log, tx, batched=self._batched)
            case Transact():
                yield from self._transact(op)
            case Wait(milliseconds):
                yield Sleep(milliseconds / 1000)
            case _:
                yield from self._look(op, log, tx)

    def _look(self, op: Read | Info | Poll | ReadAll | Head, log: Any, tx: int | None) -> Generator[Request, Any, None]:
        match op:
            case Read(stream):
                yield from self._read(f"s{stream}", log, tx)
            case Info(stream):
                yield from self._info(f"s{stream}", log, tx)
            case Poll(limit, restart):
                if restart or tx is not None:
                    self._cursor = self._start
                yield from self._poll(log, limit, tx)
            case ReadAll(backward):
                yield from self._read_all(log, backward=backward)
            case Head():
                yield from self._call("head", Ask(log.head_position), {"tx": tx}, _number)
                self._cursor = self._start
                yield from self._poll(log, WHOLE, tx)

    def _resolve(self, ops: Iterable[Append], log: Any, tx: int | None) -> Generator[Request, Any, tuple[Item, ...]]:
        """Give each append its events and its exact expectation."""
        items: list[Item] = []
        coming: dict[str, int] = {}
        for op in ops:
            stream = f"s{op.stream}"
            if op.expect == "fresh" and stream not in coming:
                yield from self._read(stream, log, tx)
            version = self._versions.get(stream, 0) + coming.get(stream, 0)
            expected = {"seen": version, "fresh": version, "ahead": version + 3}.get(op.expect, op.expect)
            if op.shared is None:
                first = self._next_event
                self._next_event += op.count
            else:
                first = _SHARED + op.shared * 100
            items.append(Item(stream, tuple(range(first, first + op.count)), expected))
            coming[stream] = coming.get(stream, 0) + op.count
        return tuple(items)

    def _append(
        self, items: tuple[Item, ...], log: Any, tx: int | None, *, batched: bool
    ) -> Generator[Request, Any, Call]:
        self._last, self._batched = items, batched
        sent = [self._scribe.to_append(item) for item in items]

        def one() -> Any:
            return log.append(sent[0].stream_id, sent[0].events, expected_version=sent[0].expected_version)

        def told(result: Any) -> dict[str, Any]:
            return {"placed": self._scribe.placed(result if batched else [result])}

        ask = Ask((lambda: log.append_batch(sent)) if batched else one)
        call = yield from self._call("batch" if batched else "append", ask, {"items": items, "tx": tx}, told)
        self._learn(call.placed)
        if call.outcome == "conflict" and call.stream is not None and call.number is not None:
            self._versions[call.stream] = call.number
        return call

    def _learn(self, placed: Iterable[Placed]) -> None:
        for one in placed:
            self._versions[one.stream] = max(one.last_version, self._versions.get(one.stream, 0))

    def _read(self, stream: str, log: Any, tx: int | None) -> Generator[Request, Any, None]:
        ask = Ask(lambda: log.read_stream(self._scribe.name(stream)), many=True)
        call = yield from self._call("read", ask, {"stream": stream, "tx": tx}, self._events)
        if call.outcome == "ok":
            self._versions[stream] = call.events[-1].version if call.events else 0

    def _info(self, stream: str, log: Any, tx: int | None) -> Generator[Request, Any, None]:
        ask = Ask(lambda: log.stream_info(self._scribe.name(stream)))
        yield from self._call("info", ask, {"stream": stream, "tx": tx}, lambda info: {"number": info.version})

    def _poll(self, log: Any, limit: int, tx: int | None) -> Generator[Request, Any, None]:
        after = self._cursor
        ask = Ask(lambda: log.poll(after, limit=limit))
        facts = {"after": after, "limit": limit, "tx": tx}
        call = yield from self._call("poll", ask, facts, self._page)
        if call.number is not None:
            self._cursor = call.number

    def _read_all(self, log: Any, *, backward: bool) -> Generator[Request, Any, None]:
        direction = Direction.BACKWARD if backward else Direction.FORWARD
        ask = Ask(lambda: log.read_all(after_position=self._start, direction=direction), many=True)
        yield from self._call("read_all", ask, {"after": self._start, "backward": backward}, self._events)

    def _transact(self, op: Transact) -> Generator[Request, Any, None]:
        self._transactions += 1
        tx = self._number * _PER_ACTOR + self._transactions
        manager = self._store.transaction()
        before = dict(self._versions)
        entered: list[Any] = []
        begun = yield from self._call("begin", Enter(manager), {"tx": tx}, _keep(entered))
        if begun.outcome != "ok":
            return
        commit = op.commit
        for step in op.steps:
            already = len(self._scribe.calls)
            yield from self._do(step, entered[0], tx)
            own = [call for call in self._scribe.calls[already:] if call.tx == tx]
            if any(call.outcome in {"transient", "unknown", "error"} for call in own):
                commit = False
                break
        if op.milliseconds:
            yield Sleep(op.milliseconds / 1000)
        kind, error = ("commit", None) if commit else ("rollback", RolledBackError())
        ended = yield from self._call(kind, Leave(manager, error), {"tx": tx}, _nothing)
        if kind == "rollback" or ended.outcome != "ok":
            self._versions = before

    def _call(
        self, kind: str, request: Request, facts: dict[str, Any], told: Callable[[Any], dict[str, Any]]
    ) -> Generator[Request, Any, Call]:
        begun = self._scribe.begin(self.name, kind, facts)
        try:
            given = yield request
            outcome = {"outcome": "ok", **told(given)}
        except Exception as error:  # noqa: BLE001 -- written down and judged
            outcome = self._scribe.failed(error)
        return self._scribe.end(self.name, kind, begun, facts | outcome)

    def _events(self, events: list[Any]) -> dict[str, Any]:
        return {"events": self._scribe.seen(events)}

    def _page(self, page: Any) -> dict[str, Any]:
        return {"events": self._scribe.seen(page.events), "number": page.next_position}


def _number(value: Any) -> dict[str, Any]:
    return {"number": value}


def _nothing(_value: Any) -> dict[str, Any]:
    return {}


def _keep(entered: list[Any]) -> Callable[[Any], dict[str, Any]]:
    def keep(value: Any) -> dict[str, Any]:
        entered.append(value)
        return {}

    return keep
