"""`mink info`."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mink_core import FeedHolder, FeedStatus, Store, StreamInfo
from mink_core.cli.output import printable, write_json
from mink_core.cli.session import Session
from mink_core.cli.views import moment

EXAMPLES = """\
Examples:
  mink info
  mink info order-42
"""


def info(
    session: Session,
    *,
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", help="A stream. Without: the store.", show_default=False)
    ] = None,
) -> None:
    """Tell what is known of the store or of a stream.

    head: the newest event that readers get. mark: up to here everything is settled. high: the
    highest position ever given out. Between mark and high, open transactions hold the feed back;
    they are named, with how long they have been open.
    """
    with session.open() as opened:
        if stream is not None:
            _tell_stream(session, opened.stream_info(stream))
        else:
            _tell_store(session, opened)


def _tell_stream(session: Session, found: StreamInfo) -> None:
    if session.speaks_json:
        write_json([msgspec.structs.asdict(found)])
        return
    _pairs(
        [
            ("Stream", found.stream_id),
            ("Category", found.category),
            ("Version", str(found.version)),
            ("Created (UTC)", moment(found.created_at)),
            ("Newest event (UTC)", moment(found.updated_at)),
            ("Deleted (UTC)", moment(found.deleted_at) or "no"),
        ]
    )


def _tell_store(session: Session, store: Store) -> None:
    identity, status = store.identity(), store.feed_status()
    capabilities = sorted(capability.value for capability in store.capabilities)
    if session.speaks_json:
        record: dict[str, Any] = {
            "adapter": session.scheme,
            "url": session.shown_url,
            "capabilities": capabilities,
            "store": identity.store,
            "epoch": identity.epoch,
            **msgspec.structs.asdict(status),
        }
        write_json([record])
        return
    _pairs(
        [
            ("Adapter", session.scheme),
            ("Store", session.shown_url),
            ("Identity", f"{identity.store}, epoch {identity.epoch}"),
            ("Capabilities", ", ".join(capabilities)),
            ("Head", str(status.head)),
            ("Mark", str(status.mark)),
            ("High", str(status.high)),
            ("Held back by", "nobody" if not status.holders else f"{len(status.holders)} open transaction(s):"),
        ]
    )
    _tell_holders(status)


def _tell_holders(status: FeedStatus) -> None:
    if not status.holders:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("Above position", "Open for", "Process", "Application", "Doing"):
        table.add_column(header, overflow="fold")
    for holder in status.holders:
        table.add_row(*(Text(printable(cell)) for cell in _holder_cells(holder)))
    Console().print(table)


def _holder_cells(holder: FeedHolder) -> list[str]:
    process = "prepared" if holder.process is None else str(holder.process)
    return [str(holder.after_position), f"{holder.seconds:.1f} s", process, holder.application, holder.doing]


def _pairs(pairs: Iterable[tuple[str, str]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, Text(printable(value)))
    Console().print(table)
