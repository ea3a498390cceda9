"""A function made into a command: its help, its examples, and the options that stand after every command."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

import typer

from mink_core.cli.failures import epilog
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of

_SHARED = {"store": (StoreUrl, None), "as_json": (AsJson, False), "debug": (Debug, False)}
"""The options of every command, with their defaults."""


def summary_of(command: Callable[..., Any]) -> str:
    """A command's first line, whole: the parser's own would cut it before the sentence ends."""
    return inspect.cleandoc(command.__doc__ or "").partition("\n")[0].rstrip(".")


def add_command(
    app: typer.Typer, name: str, work: Callable[..., None], examples: str, *, on_store: bool = False
) -> None:
    """Add a command; the examples stand below its help.

    Args:
        app: Where to.
        name: What it is called by.
        work: Its first line is its summary. Gets the session, and what the command line gives besides.
        examples: Of its use.
        on_store: Whether it also gets the session's store, opened, after the session.
    """
    app.command(name, short_help=summary_of(work), epilog=epilog(f"\b\n{examples}"))(_run(work, on_store=on_store))


def _run(work: Callable[..., None], *, on_store: bool) -> Callable[..., None]:
    @wraps(work)
    def run(ctx: typer.Context, *, store: Any, as_json: bool, debug: bool, **given: Any) -> None:
        session = session_of(ctx, store, as_json, debug)
        if not on_store:
            work(session, **given)
            return
        with session.open() as opened:
            work(session, opened, **given)

    # The parser reads a signature: the command's own options, then those of every command.
    hints = get_type_hints(work, include_extras=True)
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    own = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(work).parameters.values())[2 if on_store else 1 :]
    ]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _SHARED.items()
    ]
    parameters = [first, *own, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__  # else its signature is the one that is read
    return run


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
            add_command(self.app, name, work, examples, on_store=True)
            # The group's own help has all of them.
            self._examples += examples.splitlines()[1:]
            self.app.info.epilog = epilog("\n".join(["\b", "Examples:", *self._examples, ""]))
            return work

        return add
