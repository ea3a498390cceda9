"""What the commands on the stores around the log have in common."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from mink_core.cli.failures import REFUSED
from mink_core.cli.output import write_json
from mink_core.errors import UsageError

T = TypeVar("T")

Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="At most so many.", show_default=False)]
AfterId = Annotated[
    str | None, typer.Option("--after", metavar="ID", help="Only what comes after this one.", show_default=False)
]
OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="TIME", help="Finished so long ago: 90s, 15m, 12h, 7d, or seconds.")
]

_PAGE = 500
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def group(name: str, about: str) -> typer.Typer:
    """A command of commands; the options of the store stand after each of them as well."""
    return typer.Typer(
        name=name, help=about, no_args_is_help=True, add_completion=False, rich_markup_mode=None, short_help=about
    )


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


def count_all(delete: Callable[[], int], done: str) -> None:
    """Delete batch by batch until nothing is left, and say how much it was."""
    total = 0
    while batch := delete():
        total += batch
    typer.echo(f"{total} {done}")
