"""Results on stdout: JSON lines for programs, tables for people, written and flushed batch by batch."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import OverflowMethod

    from mink_core.cli.session import Session

T = TypeVar("T")
BATCH = 100
"""Rows that are held back at most before they are written."""
_LEAST_SHARE = 8
_GAP = 2

_encode = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """A column of a table: as wide as `width`, or as its share of what is left."""

    header: str
    width: int | None = None
    share: int | None = None
    right: bool = False
    fold: bool = False
    """Go on in the next line rather than be cut."""


@dataclass(frozen=True)
class View(Generic[T]):
    """The two ways to show one kind of thing."""

    record: Callable[[T], dict[str, Any]]
    columns: Sequence[Column]
    cells: Callable[[T], Sequence[str]]


class Printer(Generic[T]):
    """Prints things of one kind. The columns stay where they are from batch to batch."""

    def __init__(self, session: Session, view: View[T]) -> None:
        """Decide between the two ways once."""
        self._view = view
        self._json = session.speaks_json
        self._console = None if self._json else _wide_enough(view.columns)
        self._headed = False

    def batch(self, things: Iterable[T]) -> None:
        """Write some things, and flush."""
        if self._console is None:
            write_json(map(self._view.record, things))
        elif rows := list(things):
            self._console.print(self._table(rows))
            self._console.file.flush()

    def all(self, things: Iterable[T]) -> None:
        """Write things batch by batch, however many there are; people are told where there are none."""
        for batch in batches(things):
            self.batch(batch)
        if self._console is not None and not self._headed:
            self._console.print("none", style="dim")

    def _table(self, rows: Sequence[T]) -> Table:
        table = Table(box=None, expand=True, pad_edge=False, show_header=not self._headed, header_style="bold")
        self._headed = True
        for header, width, share, right, fold in self._view.columns:
            overflow: OverflowMethod = "fold" if fold else "ellipsis"
            table.add_column(header, width=width, ratio=share, no_wrap=not fold, overflow=overflow)
            table.columns[-1].justify = "right" if right else "left"
        for row in rows:
            # Text, not str: what a store holds is no markup, and no order to the terminal either.
            table.add_row(*(Text(printable(cell)) for cell in self._view.cells(row)))
        return table


def _wide_enough(columns: Sequence[Column]) -> Console:
    """The terminal; where it is narrow its lines go on in the next, as columns that get nothing would be left out unsaid."""
    console = Console()
    least = sum(column.width or _LEAST_SHARE for column in columns) + _GAP * (len(columns) - 1)
    console.width = max(console.width, least)
    return console


def printable(text: str) -> str:
    """A text on one line of a terminal that obeys none of it."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else " " if mark.isspace() else f"\\u{ord(mark):04x}" for mark in text)


def write_json(records: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line, and flush."""
    sys.stdout.flush()
    out = sys.stdout.buffer
    left = memoryview(b"".join(_encode(record) + b"\n" for record in records))
    while left:  # with PYTHONUNBUFFERED it is raw: a write may take a part only
        left = left[out.write(left) or 0 :]
    out.flush()


def write_script(session: Session, script: str) -> None:
    """Write SQL as it is, to be kept in a file or piped to psql; in JSON only where that was asked for."""
    if session.as_json:
        write_json([{"sql": script}])
    else:
        sys.stdout.write(script)


def batches(things: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Lists of at most `size` things."""
    iterator = iter(things)
    while batch := list(islice(iterator, size)):
        yield batch
