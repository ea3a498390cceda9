"""One client process: actors, followers and durable workers on one store, by one of the three drivers.

All it does is written as steps, as in the kit, so that threads and tasks do the very same.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from conformance_tests.histories.actors import Actor
from conformance_tests.histories.driving import Ask, Next, Sleep, drive, drive_async
from conformance_tests.histories.scribe import Scribe
from conformance_tests.histories.workers import Worker
from mink_core import open_async_store, open_store
from tests.soak.history.durable import async_workers, sync_workers
from tests.soak.history.load import paced
from tests.soak.history.messages import STREAMS, Command, Drain, Report, Stop, Window
from tests.soak.history.twins import TWINS, Hoarding

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from conformance_tests.histories.acts import Act
    from conformance_tests.histories.driving import Steps

ACTORS = 4
_GLANCE = 0.02


@dataclass(frozen=True)
class Place:
    """Where a client works."""

    number: int
    url: str
    effects: str
    folder: Path
    pace: float
    seed: int
    twin: str = ""


def scribe_of(window: Window) -> Scribe:
    """A record of the window; all processes' have one clock and one set of names."""
    scribe = Scribe(window.tag, window.salt, STREAMS)
    scribe._origin = window.origin
    return scribe


class Tail:
    """Follows the feed: for the whole run, or from the beginning of one window, in which it has to catch up."""

    def __init__(self, client: Client, number: int, kind: str, delay: float = 0.0) -> None:
        self.name = f"{kind} {client.place.number}.{number}"
        self.at = client.window.start
        self.closed = False
        self.subscription: Any = None
        self._client = client
        self._number = client.place.number * 100 + number
        self._delay = delay

    def live(self) -> Steps:
        yield Sleep(self._delay)
        self.subscription = self._client.store.subscribe(after_position=self.at, batch_size=25)
        while True:
            begun = self._begin("step")
            try:
                batch = yield Next(self.subscription)
            except Exception as error:  # noqa: BLE001 -- told with the report
                self._client.broken.append(f"{self.name}: {error!r}")
                return
            if batch is None:
                self._client.scribe.pending.pop(self.name, None)
                return
            self._end("step", begun, batch, None)

    def polling(self) -> Steps:
        while not self.closed:
            begun = self._begin("poll")
            try:
                page = yield Ask(partial(self._client.store.poll, self.at, limit=25))
            except Exception as error:  # noqa: BLE001 -- told with the report
                self._client.broken.append(f"{self.name}: {error!r}")
                return
            if page.events or page.next_position != self.at:
                self._end("poll", begun, page.events, page.next_position)
            else:
                self._client.scribe.pending.pop(self.name, None)  # it says nothing
                yield Sleep(0.05)

    def _facts(self, kind: str) -> dict[str, Any]:
        return {"after": self.at, "limit": 25} | ({"subscription": self._number} if kind == "step" else {})

    def _begin(self, kind: str) -> int:
        return self._client.scribe.begin(self.name, kind, self._facts(kind))

    def _end(self, kind: str, begun: int, events: Any, position: int | None) -> None:
        scribe = self._client.scribe
        told: dict[str, Any] = {"outcome": "ok", "events": scribe.seen(events)}
        if position is not None:
            told["number"] = position
        scribe.end(self.name, kind, begun, self._facts(kind) | told)
        self.at = events[-1].global_position if position is None else position


class Client:
    """What one process does."""

    def __init__(
        self,
        place: Place,
        store: Any,
        receive: Callable[[], Any],
        send: Callable[[Any], None],
        spawn: Callable[[Steps], None],
        workers: Callable[[], list[Any]],
    ) -> None:
        self.place = place
        self.store = store
        self.broken: list[str] = []
        self.scribe: Scribe
        self.window: Window
        self._random = Random(f"{place.seed} {place.number}")
        self._receive, self._send, self._spawn, self._make_workers = receive, send, spawn, workers
        self._acts: list[Act] = []
        self._busy: set[object] = set()
        self._tails: list[Tail] = []
        self._reopened: list[Tail] = []
        self._actors: list[Actor] = []
        self._workers: list[Any] = []

    def main(self) -> Steps:
        """Obey until told to stop."""
        self._send(None)
        while True:
            command: Command = yield Ask(self._receive)
            match command:
                case Window():
                    yield from self._play(command)
                    self._send(None)
                case Drain():
                    self._send((yield from self._drain(command)))
                case Stop():
                    break
        for tail in self._tails:
            yield from self._close(tail)
        for worker in self._workers:
            yield Ask(worker.close)

    def _play(self, window: Window) -> Steps:
        # Nothing is in flight: what a follower is given from now on is of this window.
        self.window, self.scribe, self._acts = window, scribe_of(window), []
        if not self._tails:
            self._tails = [Tail(self, 0, "live"), Tail(self, 1, "polling")]
            self._spawn(self._tails[0].live())
            self._spawn(self._tails[1].polling())
            yield from self._start_workers()
        length = window.until - time.monotonic()
        self._reopened = [Tail(self, 2 + n, "live", self._random.random() * length * 0.9) for n in range(2)]
        for tail in self._reopened:
            self._spawn(tail.live())
        first = self.place.number * ACTORS
        self._actors = [
            Actor(number, self.store, self.scribe, window.start, self._random)
            for number in range(first, first + ACTORS)
        ]
        for number, actor in enumerate(self._actors, first):
            ops: Any = paced(Random(self._random.getrandbits(64)), window.until, self.place.pace)
            alone: Any = [[*([()] * number), ops]]
            self._spawn_busy(actor.rounds(alone))
        sharer = Worker(f"worker {self.place.number}", self.store, self._acts, self._random)
        self._spawn_busy(sharer.sharing(f"shared{window.number}", 3, window.sharing_until))
        if window.hand_over:
            yield Sleep(length / 2)
            for worker in self._workers:
                yield Ask(worker.close)
            yield from self._start_workers()
        while self._busy:
            yield Sleep(_GLANCE)

    def _start_workers(self) -> Steps:
        self._workers = self._make_workers()
        for worker in self._workers:
            yield Ask(worker.start)

    def _spawn_busy(self, steps: Steps) -> None:
        mark = object()
        self._busy.add(mark)

        def counted() -> Steps:
            try:
                yield from steps
            except Exception as error:  # noqa: BLE001 -- as above
                self.broken.append(repr(error))
            finally:
                self._busy.discard(mark)

        self._spawn(counted())

    def _drain(self, told: Drain) -> Steps:
        until = time.monotonic() + told.patience
        every = [*self._tails, *self._reopened]
        while any(tail.at < told.head for tail in every) and time.monotonic() < until:
            yield Sleep(_GLANCE)
        stuck = tuple(tail.name for tail in every if tail.at < told.head)
        for tail in self._reopened:
            yield from self._close(tail)
        yield from self._actors[0].finish()
        report = Report(self.scribe.all_calls(), tuple(self._acts), stuck, tuple(self.broken))
        self.broken.clear()
        return report

    def _close(self, tail: Tail) -> Steps:
        tail.closed = True
        if tail.subscription is not None:
            yield Ask(tail.subscription.close)


def run_client(pipe: Connection, place: Place) -> None:
    """The process's main function; ends as well when the coordinator is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def receive() -> Any:
        try:
            return msgspec.json.decode(pipe.recv_bytes(), type=Command)
        except EOFError:
            return Stop()

    def send(value: Any) -> None:
        with suppress(OSError):
            pipe.send_bytes(msgspec.json.encode(value))

    log = place.folder / f"client-{place.number}"
    if place.number == 0:
        alone = threading.Barrier(1)

        def spawn(steps: Steps) -> None:
            threading.Thread(target=drive, args=(steps, alone), daemon=True).start()

        with open_store(place.url) as store:
            Hoarding.url = place.url.partition("?")[0]
            used = TWINS[place.twin](store) if place.twin else store
            client = Client(place, used, receive, send, spawn, sync_workers(store, place.effects, log))
            drive(client.main(), alone)
    else:
        asyncio.run(_run_tasks(place, receive, send, log))


async def _run_tasks(place: Place, receive: Callable[[], Any], send: Callable[[Any], None], log: Path) -> None:
    tasks: set[asyncio.Task[None]] = set()
    alone = asyncio.Barrier(1)

    def spawn(steps: Steps) -> None:
        task = asyncio.create_task(drive_async(steps, alone))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with open_async_store(place.url) as store:
        workers = async_workers(store, place.effects, log, asyncpg="asyncpg" in place.url)
        client = Client(place, store, lambda: asyncio.to_thread(receive), send, spawn, workers)
        await drive_async(client.main(), alone)


def run_victim(pipe: Connection, place: Place) -> None:
    """Durable workers only, in a process that is killed now and then."""
    with open_store(place.url) as store:
        workers = sync_workers(store, place.effects, place.folder / f"victim-{place.number}")()
        for worker in workers:
            worker.start()
        with suppress(EOFError):
            pipe.recv_bytes()
        for worker in workers:
            worker.close()
