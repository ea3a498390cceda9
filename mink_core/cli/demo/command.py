"""`mink demo`."""

import time
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from mink_core.cli.demo import proving
from mink_core.cli.demo.plan import Run
from mink_core.cli.demo.report import as_record, show
from mink_core.cli.demo.run import Target, put_to_work
from mink_core.cli.failures import REFUSED
from mink_core.cli.output import write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink demo
  mink demo --seconds 2 --no-rules
  mink demo --store postgresql://app@localhost/app
"""

_LEAST, _USUAL, _MOST = 0.5, 6.0, 600.0


def demo(
    session: Session,
    *,
    seconds: Annotated[
        float,
        typer.Option("--seconds", metavar="N", min=_LEAST, max=_MOST, help="How long each store is kept at work."),
    ] = _USUAL,
    rules: Annotated[
        bool, typer.Option(help="Run the rules of the contract as well, where the kit is installed.")
    ] = True,
) -> None:
    """Put a store to work and see that nothing is lost.

    Concurrent appends with conflicts, followers that must miss nothing, and a look at how long an
    append takes; then the conformance kit at its lowest level. Runs on a PostgreSQL server of its
    own, started for it and gone afterwards, and then in memory; no service is needed. With --store,
    on that store alone: it is initialized if it is not, and streams named demo-… are written and
    stay; the kit is not run there, which is what mink conformance is for. MINK_STORE_URL is not used.

    The exit code is 0 only if every check held, and 1 if one did not.
    """
    # Not as other commands: read through a pipe or in a CI log, a demo is still for people.
    console = Console(quiet=session.as_json)
    say = partial(_say, console)
    begun = time.monotonic()
    targets = _targets(session)
    outcomes = [put_to_work(target, seconds, partial(say, target.name)) for target in targets]
    if rules and session.given is None:
        for target, outcome in zip(targets, outcomes, strict=True):
            if proving.is_installed():
                proving.prove(target.url, time.monotonic, outcome, partial(say, target.name), console)
            else:
                outcome.notes.append(proving.NOT_INSTALLED)
    if session.as_json:
        write_json(map(as_record, outcomes))
    show(console, outcomes, time.monotonic() - begun)
    if not all(outcome.held for outcome in outcomes):
        raise typer.Exit(REFUSED)


def _say(console: Console, name: str, line: str) -> None:
    console.print(f"[bold]{name}[/]: {line}", highlight=False)
    console.file.flush()


def _targets(session: Session) -> list[Target]:
    if session.given is not None:
        opening = f"opening {session.shown_url}; streams named demo-… are written to it, and stay"
        return [Target(session.scheme, session.given, [session.given], opening)]
    memory = f"memory://demo-{Run().tag}"
    return [
        Target(
            "PostgreSQL",
            "postgresql+embedded://",
            # A server of its own each: no public name leads to the one that the sync store started.
            ["postgresql+asyncpg+embedded://", "postgresql+embedded://"],
            "starting a temporary server",
        ),
        Target("memory", memory, [memory], "opening a store in this process"),
    ]
