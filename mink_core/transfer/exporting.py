"""A store's feed as lines. An export that was interrupted goes on where it stopped."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from mink_core.errors import UsageError
from mink_core.events import StoredEvent, StoreIdentity
from mink_core.transfer.digests import Digests
from mink_core.transfer.lines import (
    FORMAT,
    HEAD_BEGINS,
    End,
    Head,
    MarkLine,
    StreamLine,
    Totals,
    event_line,
    other_line,
    parse,
)
from mink_core.transfer.progress import Progress, unseen
from mink_core.unawaited import check_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mink_core.administration import StreamMark
    from mink_core.subscriber import Store

_TOGETHER = 1000


class Exported(NamedTuple):
    """What an export wrote, all of its parts together."""

    events: int
    streams: int
    last_position: int


class Resumed(NamedTuple):
    """How far an interrupted export came."""

    identity: StoreIdentity
    position: int
    """The last complete line's."""
    digests: Digests
    size: int
    """Bytes of complete lines: what follows is cut off."""
    complete: bool
    """Whether the end line is there: nothing is left to do."""


def export(
    store: Store,
    write: Callable[[bytes], object],
    *,
    after: Resumed | None = None,
    marks: Callable[[], Iterable[StreamMark]] = tuple,
    progress: Progress = unseen,
) -> Exported:
    """Write all events that the feed shows, then a line for each stream and one for the whole.

    Args:
        store: An open store; what is appended meanwhile may or may not be in it.
        write: Takes whole lines.
        after: Go on behind these.
        marks: Gives what privacy operations have done to streams; asked before the events are written, for their number,
            and after.
        progress: Told the position reached and the one at the end.

    Raises:
        PositionAheadError: `after` is of another store, or of another epoch of it.
        UsageError: `write` is a coroutine function, or has a yield.
    """
    check_plain(write, "what an export writes by")
    identity = after.identity if after else store.identity()
    digests = after.digests if after else Digests()
    position = after.position if after else 0
    head = store.head_position()
    if after is None:
        write(other_line(Head(FORMAT, identity.store, identity.epoch, head, len(list(marks())))) + b"\n")
    held: list[bytes] = []
    for event in store.read_all(after_position=position, identity=identity):
        digests.add(event)
        position = event.global_position
        held.append(event_line(event))
        if len(held) == _TOGETHER:
            write(b"\n".join(held) + b"\n")
            held.clear()
            progress(position, head)
    for line in (*held, *_ending(digests, list(marks()))):
        write(line + b"\n")
    progress(head, head)
    return Exported(digests.events, len(digests.streams), position)


def _ending(digests: Digests, marks: Sequence[StreamMark]) -> Iterator[bytes]:
    for mark in marks:
        yield other_line(MarkLine(mark))
    for name, of in digests.streams.items():
        yield other_line(StreamLine(name, of.version, of.events, of.digest.hex()))
    yield other_line(End(Totals(digests.events, len(digests.streams), len(marks), digests.order)))


def resume(file: IO[bytes]) -> Resumed | None:
    """Read what an interrupted export has written; None where it is not even a whole head.

    Raises:
        UsageError: The file is no export.
    """
    digests, position, size = Digests(), 0, 0
    identity: StoreIdentity | None = None
    lines = _CompleteLines(file)
    for number, line in parse(lines):
        if isinstance(line, Head):
            if number != 1 or line.mink_export != FORMAT:
                break
            identity, size = StoreIdentity(line.store, line.epoch), lines.size
        elif identity is None:
            break
        elif isinstance(line, StoredEvent):
            digests.add(line)
            position, size = line.global_position, lines.size
        elif isinstance(line, End):
            return Resumed(identity, position, digests, lines.size, complete=True)
    else:
        if identity is not None:
            # Lines of streams are written anew: they stand behind all events.
            return Resumed(identity, position, digests, size, complete=False)
        # A head that was cut off, or nothing. Anything else is somebody's file, and is not written over.
        if lines.cut_off.startswith(HEAD_BEGINS) or HEAD_BEGINS.startswith(lines.cut_off):
            return None
    msg = "the file is no export that this version can go on with; it was not changed: choose another file"
    raise UsageError(msg)


class _CompleteLines:
    """The lines of a file but for a last one that was cut off, and how many bytes of them were taken."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.cut_off = b""
        """The last line, where it does not end."""

    def __iter__(self) -> Iterator[bytes]:
        for line in self._file:
            if not line.endswith(b"\n"):
                self.cut_off = line
                return
            self.size += len(line)
            yield line
