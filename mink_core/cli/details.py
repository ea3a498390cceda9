"""What the commands on the stores around the log have in common: list, show, and clean up."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
import typer

from mink_core.cli.failures import REFUSED, epilog
from mink_core.cli.output import Printer, View, write_json
from mink_core.cli.session import AsJson, Debug, Session, StoreUrl, session_of
from mink_core.errors import UsageError

T = TypeVar("T")


def summary_of(command: Callable[..., Any]) -> str:
    """A command's first line, whole: the parser's own would cut it before the sentence ends."""
    return inspect.cleandoc(command.__doc__ or "").partition("\n")[0].rstrip(".")


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


_SHARED: dict[str, Any] = {"store": StoreUrl, "as_json": AsJson, "debug": Debug}
"""The options that stand after every command as well."""


class Group:
    """A command of commands on one of the stores around the log.

    A command is a function of the session, the opened store, and what the command line gives besides.
    """

    def __init__(self, name: str, about: str) -> None:
        """Begin without commands."""
        self.app = typer.Typer(
            name=name, help=about, no_args_is_help=True, add_completion=False, rich_markup_mode=None, short_help=about
        )
        self._examples: list[str] = []

    def command(self, name: str, examples: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Add a command, as a decorator; the examples stand below its help."""

        def add(work: Callable[..., None]) -> Callable[..., None]:
            hints = get_type_hints(work, include_extras=True)
            _, _, *own = inspect.signature(work).parameters.values()

            @wraps(work)
            def run(ctx: typer.Context, *, store: Any, as_json: bool, debug: bool, **given: Any) -> None:
                session = session_of(ctx, store, as_json, debug)
                with session.open() as opened:
                    work(session, opened, **given)

            # The parser reads a signature: the command's own options, then those of every command.
            kept = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
            shared = [_option(name, kind) for name, kind in _SHARED.items()]
            first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
            parameters = [first, *(item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in kept), *shared]
            run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
            run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
            del run.__wrapped__  # else its signature is the one that is read
            summary = summary_of(work)
            self.app.command(name, short_help=summary, epilog=epilog(f"\b\n{examples}"))(run)
            # The group's own help has all of them.
            self._examples += examples.splitlines()[1:]
            self.app.info.epilog = epilog("\n".join(["\b", "Examples:", *self._examples, ""]))
            return work

        return add


def _option(name: str, kind: Any) -> inspect.Parameter:
    default = None if kind is StoreUrl else False
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


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
