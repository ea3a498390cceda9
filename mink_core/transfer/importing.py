"""Lines back into a store, and the proof that all of it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mink_core.errors import StorageError, UsageError
from mink_core.events import StoredEvent
from mink_core.limits import limits_of
from mink_core.transfer.digests import Digests
from mink_core.transfer.lines import FORMAT, Head, MarkLine, StreamLine, Totals, parse
from mink_core.transfer.progress import Progress, unseen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_core.administration import Administration, StreamMark
    from mink_core.subscriber import Store
    from mink_core.transfer.lines import End

BATCH = 2000
"""Events that are stored together, all or none."""


class Imported(NamedTuple):
    """What an import did."""

    events: int
    """In the file."""
    stored: int
    """That were not there before."""
    streams: int
    digests: Digests


def import_lines(
    lines: Iterable[bytes],
    administration: Administration,
    *,
    batch: int = BATCH,
    progress: Progress = unseen,
) -> Imported:
    """Store the events of an export. Those that are there already are left out, so a repeat goes on where it stopped.

    Raises:
        UsageError: The file is damaged or ends early; what came before is stored.
        DuplicateEventError: The store has another event where one of the file belongs.
        StreamTombstonedError: The file goes on with a stream that is tombstoned here; the batches before are stored.
        CapabilityNotSupportedError: The file has deleted, purged or closed streams, and the store has no such thing. Nothing
            was stored, unless the first of them came while the file was written.
        StorageError: The storage failed; the batches before are stored: repeat the import.
    """
    batch = min(batch, limits_of(administration).call_events)
    digests, stored = Digests(), 0
    held: list[StoredEvent] = []
    head: Head | None = None
    told = _Told()

    def flush() -> None:
        nonlocal stored
        if held:
            stored += administration.import_events(held)
            progress(held[-1].global_position, head.head if head else 0)
            held.clear()

    for number, line in parse(lines):
        if told.end is not None or (head is None) != isinstance(line, Head):
            msg = f"line {number} is out of place: an export has one head, first, and one end, last"
            raise UsageError(msg)
        if isinstance(line, StoredEvent):
            digests.add(line)
            held.append(line)
            if len(held) >= batch:
                flush()
        elif isinstance(line, Head):
            if line.mink_export != FORMAT:
                msg = f"the file is of format {line.mink_export}, this version reads {FORMAT}: upgrade mink-eventstore"
                raise UsageError(msg)
            administration.check_marks(line.marks)
            head = line
        else:
            told.take(line)
    flush()
    # Also where the file is damaged: what was hidden or closed does not come back by that.
    administration.import_marks([_as_far(mark, digests) for mark in told.marks])
    _check_file(digests, told)
    return Imported(digests.events, stored, len(digests.streams), digests)


def _as_far(mark: StreamMark, digests: Digests) -> StreamMark:
    """A mark as far as the file's events go: it was asked for after them, and its stream may have gone on meanwhile.

    One that went on was closed after that, if it was: closed here as well it could never be given the rest.
    """
    stream = digests.streams.get(mark.stream_id)
    reached = max(mark.purged_version, stream.version if stream else 0)
    if mark.version <= reached:
        return mark
    hidden = min(mark.hidden_version, reached)
    return msgspec.structs.replace(mark, version=reached, hidden_version=hidden, tombstoned_at=None)


class _Told:
    """What the lines behind the events say of them."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamLine] = {}
        self.marks: list[StreamMark] = []
        self.end: Totals | None = None

    def take(self, line: MarkLine | StreamLine | End) -> None:
        if isinstance(line, MarkLine):
            self.marks.append(line.mink_mark)
        elif isinstance(line, StreamLine):
            self.streams[line.mink_stream] = line
        else:
            self.end = line.mink_end


def _check_file(digests: Digests, told: _Told) -> None:
    """Whether the lines are those that were written."""
    if told.end is None:
        msg = (
            f"the file ends early, after {digests.events} events; they are stored: export again with --resume, then "
            "import again, which leaves out what is there"
        )
        raise UsageError(msg)
    mine = {name: StreamLine(name, it.version, it.events, it.digest.hex()) for name, it in digests.streams.items()}
    if mine != told.streams or told.end != Totals(digests.events, len(mine), len(told.marks), digests.order):
        changed = sorted(name for name in mine.keys() | told.streams.keys() if mine.get(name) != told.streams.get(name))
        where = f"of stream {changed[0]!r} and {len(changed) - 1} more" if changed else "in another order"
        msg = f"the file was changed after it was written: the events {where} are not those exported; they are stored"
        raise UsageError(msg)


def verify(store: Store, wanted: Digests, *, progress: Progress = unseen) -> None:
    """Read a store back and compare: every stream's events, their number and their order.

    Events and streams that the store has beside those of the import are passed over.

    Raises:
        StorageError: The store has not what was imported; names a stream.
    """
    found = Digests()
    head = store.head_position()
    for event in store.read_all():
        of = wanted.streams.get(event.stream_id)
        if of is not None and event.version <= of.version:
            found.add(event)
        if event.global_position % BATCH == 0:
            progress(event.global_position, head)
    progress(head, head)
    for name in wanted.differences(found):
        msg = f"stream {name!r} is not what was imported: the store has other events, or lacks some: import again"
        raise StorageError(msg)
    if found.order != wanted.order:
        msg = "all events are there, but streams lie otherwise in one another: other imports or appends were between"
        raise StorageError(msg)
