"""Commands that other packages bring, through the entry-point group `mink.commands`.

An entry point's name is the command's; its value takes the arguments as a list and returns the exit
code. It is loaded when it is called, so that `mink` starts no slower for it.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "mink.commands"
"""The entry-point group."""

_SHORT = {"bench": "Measure event stores side by side"}


def add_plugins(app: typer.Typer) -> None:
    """Give the application every command of the group."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        app.command(
            point.name,
            short_help=_SHORT.get(point.name, f"As {point.module} says"),
            add_help_option=False,  # the command has its own
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_calling(point))


def _calling(point: EntryPoint) -> Callable[[typer.Context], None]:
    def command(ctx: typer.Context) -> None:
        try:
            run = point.load()
        except ModuleNotFoundError as error:
            sys.stderr.write(
                f"mink {point.name} needs {error.name!r}, which is not installed: pip install 'mink-eventstore[{point.name}]'\n"
            )
            raise typer.Exit(2) from None
        raise typer.Exit(run(ctx.args))

    return command
