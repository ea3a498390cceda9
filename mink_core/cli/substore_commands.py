"""What the commands on the stores around the log have in common: list, show, and clean up."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from mink_core.cli.failures import REFUSED
from mink_core.cli.output import Printer, View, write_json
from mink_core.cli.session import Session
from mink_core.errors import UsageError

T = TypeVar("T")


Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="At most so many.", show_default=False)]
AfterId = Annotated[
    str | None, typer.Option("--after", metavar="ID", help="Only what comes after this one.", show_default=False)
]
OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="TIME", help="Finished so long ago: 90s, 15m, 12h, 7d, or seconds.")
]

Yes = Annotated[bool, typer.Option("--yes", help="It is meant: what goes cannot be had back.")]

_PAGE = 500
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def print_pages(
    session: Session,
    view: View[T],
    read: Callable[[Any, int], Sequence[T]],
    key: Callable[[T], Any],
    *,
    after: Any,
    limit: int | None,
) -> None:
    """Print everything that `read(after, limit)` gives, page by page."""
    Printer(session, view).all(pages(read, after, key, limit))


def pages(
    read: Callable[[Any, int], Sequence[T]], start: Any, key: Callable[[T], Any], limit: int | None
) -> Iterator[T]:
    """Everything that `read(after, limit)` gives, page by page."""
    left = limit
    while left is None or left:
        size = _PAGE if left is None else min(left, _PAGE)
        page = read(start, size)
        yield from page
        if len(page) < size:
            return
        start = key(page[-1])
        left = None if left is None else left - len(page)


def seconds(text: str) -> float:
    """A duration as the command line takes it.

    Raises:
        UsageError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found:
        msg = f"a time is a number with s, m, h or d, such as 90s or 7d, not {text!r:.40}"
        raise UsageError(msg)
    return float(found[1]) * _UNITS[found[2]]


def tell(value: msgspec.Struct | None, what: str) -> None:
    """Write one thing whole, as JSON; exit code 1 where there is none."""
    if value is None:
        typer.echo(f"mink: {what} does not exist", err=True)
        raise typer.Exit(REFUSED)
    write_json([msgspec.structs.asdict(value)])


def done(session: Session, what: str, count: int) -> None:
    """Say how many were deleted, requeued, ..."""
    if session.speaks_json:
        write_json([{what: count}])
    else:
        typer.echo(f"{count} {what}")


def until_none(delete: Callable[[], int]) -> int:
    """Delete batch by batch until nothing is left; how much it was."""
    total = 0
    while batch := delete():
        total += batch
    return total


def meant(yes: bool, what: str) -> None:
    """Refuse what cannot be undone and was not confirmed.

    Raises:
        UsageError: It was not.
    """
    if not yes:
        msg = f"this deletes {what} for good; if that is meant, add --yes"
        raise UsageError(msg)
