"""Grouped commits for the tasks of one event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from mink_core.errors import MinkError, StorageError, StoreClosedError
from mink_postgres.backends.async_base import CLOSE_SECONDS
from mink_postgres.grouping.outcomes import CLOSED, INTERRUPTED, outcomes_of, unknown
from mink_postgres.grouping.planner import Entry, Planner, fits, size_of
from mink_postgres.programs.append_group import Alone, append_group
from mink_postgres.programs.appending import answered, append, asked, must_ask_again
from mink_postgres.query import run_async

if TYPE_CHECKING:
    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_postgres.backends.async_base import AsyncBackend
    from mink_postgres.context import Context
    from mink_postgres.programs.append_group import Answer

_Waiter: TypeAlias = "asyncio.Future[Answer]"


class AsyncGrouping:
    """Appends for one store. Every call is made in the store's event loop."""

    def __init__(self, context: Context, backend: AsyncBackend, connections: int) -> None:
        """Take the store's connections, and how many there may be: 0 where nobody knows."""
        self._context = context
        self._backend = backend
        self._planner: Planner[_Waiter] = Planner(connections)
        self._lanes: set[asyncio.Task[None]] = set()
        self._closed = False

    async def append(self, item: PreparedAppend) -> AppendResult:
        """Append directly where nothing is under way, else with others."""
        planner = self._planner
        if planner.go_directly():
            try:
                return await self._alone(item)
            finally:
                planner.went_directly()
        size = size_of(item)
        if fits(item, size):
            if self._closed:
                raise StoreClosedError(CLOSED)
            loop = asyncio.get_running_loop()
            waiter: _Waiter = loop.create_future()
            entry = Entry(item, size, waiter)
            if planner.add(entry):
                lane = loop.create_task(self._lane())
                self._lanes.add(lane)
                lane.add_done_callback(self._lanes.discard)
            try:
                answer = await waiter
            except asyncio.CancelledError:
                planner.forget(entry)
                raise
            if not isinstance(answer, Alone):
                if isinstance(answer, MinkError):
                    raise answer
                return answer
            if answer is Alone.FAILED and self._context.unique_event_ids:
                return await self._again(item)
        return await self._alone(item)

    async def _alone(self, item: PreparedAppend) -> AppendResult:
        # As the threads' runner does: without a program to be run.
        try:
            connection = await self._backend.acquire()
            clean = False
            try:
                rows = await self._backend.fetch(connection, asked(self._context, item))
                clean = True
                return answered(self._context, item, rows)
            finally:
                await self._backend.release(connection, clean=clean)
        except MinkError as error:
            if isinstance(error, StorageError):
                self._context.settled.forget()
            if not must_ask_again(self._context, error):
                raise
        return await self._again(item)

    async def _again(self, item: PreparedAppend) -> AppendResult:
        """See `Grouping._again`."""
        connection = await self._backend.acquire()
        clean = False
        try:
            result = await run_async(append(self._context, item), partial(self._backend.fetch, connection))
            clean = True
        except StorageError:
            self._context.settled.forget()
            raise
        else:
            return result
        finally:
            await self._backend.release(connection, clean=clean)

    async def close(self) -> None:
        """Refuse what waits, and let what is under way end."""
        self._closed = True
        for entry in self._planner.drain():
            _settle(entry, StoreClosedError(CLOSED))
        if self._lanes:
            _, stuck = await asyncio.wait(self._lanes, timeout=CLOSE_SECONDS)
            for lane in stuck:  # the server says no more: whoever waits is told that nobody knows
                lane.cancel()
            if stuck:
                await asyncio.wait(stuck, timeout=CLOSE_SECONDS)

    async def _lane(self) -> None:
        """Send groups, one after the other, while there are any."""
        try:
            await self._send_all()
        except BaseException:
            self._planner.close_lane()
            if not self._planner.lanes:  # who still waits would wait for ever
                self._send_each_alone()
            raise

    async def _send_all(self) -> None:
        planner = self._planner
        while group := planner.take():
            try:
                await self._send(group)
            finally:
                for entry in group:
                    if not entry.waiter.done():  # the event loop is going down, or a driver broke its word
                        entry.waiter.set_result(unknown(self._context, INTERRUPTED, entry.item))
                planner.landed(group)

    def _send_each_alone(self) -> None:
        """Groups cannot be sent: those who wait for one try by themselves."""
        for entry in self._planner.drain():
            _settle(entry, Alone.FAILED)

    async def _send(self, group: list[Entry[_Waiter]]) -> None:
        backend = self._backend
        try:
            connection = await backend.acquire()
        except MinkError as error:
            _settle_all(group, outcomes_of(self._context, error, [entry.item for entry in group], sent=False))
            self._send_each_alone()  # else each group would wait for a connection after the one before, all of the time
            return
        clean = False
        try:
            # A caller that was cancelled until now has stored nothing; from here on it is one of the group.
            asked = [entry for entry in group if not entry.waiter.done()]
            items = [entry.item for entry in asked]
            if not asked:
                clean = True
                return
            try:
                program = append_group(self._context, items, backend.array)
                answers = await run_async(program, partial(backend.fetch, connection))
                clean = True
                if left_out := answers.count(Alone.LOCKED):
                    self._planner.narrow(len(answers), left_out)
                _settle_all(asked, answers)
            except MinkError as error:
                self._context.settled.forget()
                self._planner.narrow()
                _settle_all(asked, outcomes_of(self._context, error, items, sent=True))
        finally:
            await backend.release(connection, clean=clean)


def _settle_all(group: list[Entry[_Waiter]], answers: list[Answer]) -> None:
    for entry, answer in zip(group, answers, strict=True):
        _settle(entry, answer)


def _settle(entry: Entry[_Waiter], answer: Answer) -> None:
    if not entry.waiter.done():
        entry.waiter.set_result(answer)
