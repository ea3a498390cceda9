"""A server of its own for each fault, the load on it, and what a fault may do with them."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg

from mink_benchmarks.faults.judging import Verdict, judge
from mink_benchmarks.faults.ledger import Ledger
from mink_benchmarks.faults.load import Load
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

_IN_USE = 20
"""Events that are acknowledged between two times, however slow the machine."""
_LOGS = tuple(logging.getLogger(name) for name in ("psycopg.pool", "asyncpg", "asyncio"))


class CannotInflictError(Exception):
    """The fault needs something that this machine does not give; says what."""


class Fault(ABC):
    """Something that goes wrong. Each is inflicted many times while the load runs."""

    name = ""
    pause = 1.0
    """Seconds of undisturbed load between two times."""
    settings: ClassVar[Mapping[str, str]] = {}
    """Of the server."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Of the writers' stores."""
    query = ""
    """What the writers' URL says beside, such as `?options=…`."""
    shared = False
    """Whether writers share their streams; see `Load`."""

    @contextmanager
    def place(self) -> Generator[Path | None]:
        """Where the server's folder is; None for a temporary one.

        Raises:
            CannotInflictError: There is no such place to be had.
        """
        yield None

    def writing_url(self, url: str, stack: ExitStack) -> str:  # noqa: ARG002 -- a proxy closes by it
        """The URL that writers connect by."""
        return url + self.query

    @abstractmethod
    def strike(self, lab: Lab) -> int:
        """Inflict it once; returns how many times it really struck."""

    def problems(self, lab: Lab) -> list[str]:  # noqa: ARG002 -- for a fault that has its own to say
        """What else is wrong at the end."""
        return []


class Lab:
    """What a fault has to work with."""

    def __init__(self, server: EmbeddedServer, load: Load, ledger: Ledger) -> None:
        """Keep them."""
        self.server = server
        self.load = load
        self.ledger = ledger

    def admin(self) -> psycopg.Connection[Any]:
        """A superuser's connection; the caller closes it."""
        return psycopg.connect(self.server.url(), autocommit=True)


def inflict(fault: Fault, seconds: float, *, times: int | None = None) -> Verdict:
    """Inflict a fault again and again, and judge.

    Args:
        fault: Which.
        seconds: How long, at least one time; the load's start and end come on top.
        times: At most so often.
    """
    levels = [log.level for log in _LOGS]
    # Pools warn of every connection they have lost, and here they are lost on purpose.
    for log in _LOGS:
        log.setLevel(logging.CRITICAL)
    try:
        with (
            fault.place() as folder,
            EmbeddedServer.start(folder, settings=fault.settings) as server,
            ExitStack() as stack,
        ):
            return _inflict(fault, seconds, times, server, stack)
    except CannotInflictError as reason:
        return Verdict(fault.name, 0, 0, 0, 0, 0, 0.0, not_run=str(reason))
    finally:
        for log, level in zip(_LOGS, levels, strict=True):
            log.setLevel(level)


def _wait_for_more(ledger: Ledger, count: int) -> None:
    wanted, patience = len(ledger.acknowledged) + count, time.monotonic() + 30
    while len(ledger.acknowledged) < wanted and time.monotonic() < patience:
        time.sleep(0.01)


def _inflict(fault: Fault, seconds: float, times: int | None, server: EmbeddedServer, stack: ExitStack) -> Verdict:
    url = server.url()
    with PostgresEventStore(url, min_size=1) as store:
        store.initialize()
    ledger = Ledger()
    load = Load(fault.writing_url(url, stack), url, ledger, shared=fault.shared, **fault.options)
    lab = Lab(server, load, ledger)
    load.start()
    struck, tried, end = 0, 0, time.monotonic() + seconds
    while not tried or (time.monotonic() < end and (times is None or tried < times)):
        time.sleep(min(fault.pause, seconds / 2))
        _wait_for_more(ledger, _IN_USE)  # a store that nobody has got to use yet would not notice it
        struck += fault.strike(lab)
        tried += 1
    # The outage that the last time made ends with the next acknowledgement.
    _wait_for_more(ledger, 1)
    load.stop()
    verdict = judge((fault.name, struck), url, ledger, load.reader)
    return verdict._replace(problems=(*verdict.problems, *fault.problems(lab)))
