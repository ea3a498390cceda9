"""Grouped commits for threads: one of those who wait sends the group for all of them.

There is no thread of the store's own. A thread that opens a lane sends the first group, and hands the
lane on to a thread of the next one, which is woken with it.

Those who have their answers are woken one after another, each by the one before, as it wakes. Woken all at once they
would sleep again at once, since one alone can have the interpreter: four more switches for each, and twice the time.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from mink_core.errors import MinkError, StorageError, StoreClosedError
from mink_core.runtime.apart import apart
from mink_postgres.grouping.outcomes import CLOSED, INTERRUPTED, outcomes_of, unknown
from mink_postgres.grouping.pace import Pace
from mink_postgres.grouping.planner import LANES, Entry, Planner, fits, size_of
from mink_postgres.programs.append_group import Alone, append_group, array_literal
from mink_postgres.programs.appending import answered, append, asked, must_ask_again
from mink_postgres.query import run

if TYPE_CHECKING:
    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_postgres.backends.sync_psycopg import Connection, PsycopgBackend
    from mink_postgres.context import Context
    from mink_postgres.programs.append_group import Answer


_FEW = 24
"""Threads to whom two lanes are always of use. Their groups are small, and the server would sleep at each commit;
more threads keep it busy with full ones, and two halves cost them more than a full one."""


class _Waiter:
    """A thread that waits for its answer, or for a group to send. Written under the grouping's lock."""

    __slots__ = ("answer", "awake", "bell", "gone", "group", "turn")

    def __init__(self) -> None:
        # A bare lock, released by whoever wakes the thread: an Event takes three times as long.
        self.bell = threading.Lock()
        self.bell.acquire()
        self.answer: Answer | None = None
        self.group: list[Entry[_Waiter]] | None = None
        self.gone = False
        self.turn = False
        """It was woken for its answer, and has yet to wake the next."""
        self.awake = False
        """It had its turn, or needs none."""


class Grouping:
    """Appends for one store, from any thread."""

    def __init__(self, context: Context, backend: PsycopgBackend, connections: int) -> None:
        """Take the store's connections, and how many there may be: 0 where nobody knows."""
        self._context = context
        self._backend = backend
        self._planner: Planner[_Waiter] = Planner(connections)
        self._pace = Pace()
        self._lock = threading.Lock()
        self._closed = False
        # Who has an answer and sleeps, and whether somebody is being woken, who then wakes the next.
        self._answered: deque[_Waiter] = deque()
        self._waking = False

    def append(self, item: PreparedAppend) -> AppendResult:
        """Append directly where nothing is under way, else with others."""
        planner, direct = self._planner, False
        try:
            with self._lock:
                direct = planner.go_directly()
            if direct:
                return self._alone(item)
        finally:
            if direct:
                # Nothing is called here, so that Ctrl-C does not come first: see `thread_leases`.
                with self._lock:
                    planner.direct -= 1
        size = size_of(item)
        if fits(item, size):
            answer = self._grouped(Entry(item, size, _Waiter()))
            if isinstance(answer, MinkError):
                raise answer
            if not isinstance(answer, Alone):
                return answer
            if answer is Alone.FAILED and self._context.unique_event_ids:
                return self._again(item)
        return self._alone(item)

    def _alone(self, item: PreparedAppend) -> AppendResult:
        # Without a program to be run: a lone caller meets all code cold, and each layer takes a microsecond of it.
        context, fetch = self._context, self._backend.fetch
        try:
            return self._backend.lend(
                lambda connection: answered(context, item, fetch(connection, asked(context, item)))
            )
        except MinkError as error:
            if isinstance(error, StorageError):
                context.settled.forget()
            if not must_ask_again(context, error):
                raise
        return self._again(item)

    def _again(self, item: PreparedAppend) -> AppendResult:
        """By the statement that looks for the event ids in the whole store first: what it says is so."""
        context, fetch = self._context, self._backend.fetch
        try:
            return self._backend.lend(lambda connection: run(append(context, item), partial(fetch, connection)))
        except StorageError:
            context.settled.forget()
            raise

    def _grouped(self, entry: Entry[_Waiter]) -> Answer:
        answers: list[Answer] = []

        def wait() -> None:
            group: list[Entry[_Waiter]] | None = None
            with self._lock:
                if self._closed:
                    raise StoreClosedError(CLOSED)
                self._pace.added()
                few = self._planner.callers <= _FEW
                self._planner.limit = LANES if few or self._pace.needs_another else 1
                # Those who are being woken come back first: they fill the group.
                if self._planner.add(entry, another=not self._waking):
                    group = self._next()
            answers.append(self._answer(entry, group))

        try:
            apart(wait)  # Ctrl-C in one thread must not keep the others' lanes
        except BaseException:
            entry.waiter.gone = True
            raise
        return answers[0]

    def close(self) -> None:
        """Refuse what waits. What is under way ends in its own thread."""
        with self._lock:
            self._closed = True
            for entry in self._planner.drain():
                self._settle(entry, StoreClosedError(CLOSED))

    def _answer(self, entry: Entry[_Waiter], group: list[Entry[_Waiter]] | None) -> Answer:
        waiter = entry.waiter
        try:
            if group:
                self._lead(group)
            while waiter.answer is None:
                waiter.bell.acquire()
                group, waiter.group = waiter.group, None
                if group:
                    self._lead(group)
        except BaseException:
            # An interrupted thread: neither what it was told to send nor who comes after it may wait for it for ever.
            with self._lock:
                waiter.gone = True
                group, waiter.group = waiter.group, None
            self._leave(waiter)
            if group:
                self._lead(group)
            raise
        self._leave(waiter)
        return waiter.answer

    def _leave(self, waiter: _Waiter) -> None:
        """Wait no more. Whoever was woken wakes the next, and whoever was not need not be."""
        if not waiter.awake:
            with self._lock:
                waiter.awake = True
                if waiter.turn:
                    self._waking = False
                    self._pace.woken()
                    self._wake()

    def _wake(self) -> None:
        """Wake the next of those who have their answers, or all where each is long in coming. Called under the lock."""
        while self._answered and not (self._waking and self._pace.in_line):
            waiter = self._answered.popleft()
            if waiter.awake:
                continue
            if not self._waking:
                self._waking = waiter.turn = True
                self._pace.rung()
            waiter.bell.release()

    def _lead(self, group: list[Entry[_Waiter]]) -> None:
        """Send a group, hand the lane on, and have those woken who have their answers."""
        answers: list[Answer] = []
        sent = self._pace.now()
        try:
            answers = self._send([entry.item for entry in group])
        finally:
            if not answers:  # whoever sends was interrupted
                answers = [unknown(self._context, INTERRUPTED, entry.item) for entry in group]
            with self._lock:
                self._pace.landed(sent)
                self._planner.landed(group)
                if left_out := answers.count(Alone.LOCKED):
                    self._planner.narrow(len(answers), left_out)
                following = self._next()
                if following:
                    leader = following[0].waiter
                    leader.group = following
                    leader.bell.release()
                for entry, answer in zip(group, answers, strict=True):
                    entry.waiter.answer = answer
                    self._answered.append(entry.waiter)
                self._wake()

    def _next(self) -> list[Entry[_Waiter]] | None:
        """The lane's next group, of those who still wait. Called under the lock."""
        while group := self._planner.take():
            waiting: list[Entry[_Waiter]] = []
            gone: list[Entry[_Waiter]] = []
            for entry in group:
                (gone if entry.waiter.gone else waiting).append(entry)
            for entry in gone:
                self._settle(entry, unknown(self._context, INTERRUPTED, entry.item))
            if gone:  # or their streams would be taken for ever
                streams = {entry.stream_id for entry in waiting}
                self._planner.landed([entry for entry in gone if entry.stream_id not in streams])
            if waiting:
                return waiting
        return None

    def _send(self, items: list[PreparedAppend]) -> list[Answer]:
        sent = False

        def send(connection: Connection) -> list[Answer]:
            nonlocal sent
            sent = True
            return run(append_group(self._context, items, array_literal), partial(self._backend.fetch, connection))

        try:
            return self._backend.lend(send)
        except MinkError as error:
            if sent:
                self._context.settled.forget()
                with self._lock:
                    self._planner.narrow()
            else:  # each group would wait for a connection after the one before, all of the time
                with self._lock:
                    for entry in self._planner.drain():
                        self._settle(entry, Alone.FAILED)
            return outcomes_of(self._context, error, items, sent=sent)

    @staticmethod
    def _settle(entry: Entry[_Waiter], answer: Answer) -> None:
        waiter = entry.waiter
        if waiter.answer is None:
            waiter.answer = answer
            waiter.bell.release()
