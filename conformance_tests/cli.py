"""The command line of the kit: `python -m conformance_tests TARGET`, and `mink conformance TARGET`."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conformance_tests.check import Check, all_checks
from conformance_tests.level import Level
from conformance_tests.replaying import keep, load, replay
from conformance_tests.report.html import as_html
from conformance_tests.report.markdown import as_badge, as_markdown
from conformance_tests.report.record import as_json, as_junit
from conformance_tests.report.terminal import live, show, show_rules
from conformance_tests.results import Report, Result, Status
from conformance_tests.runner import deep_budget, run
from conformance_tests.target import Target, target_of
from conformance_tests.zoo.command import passed, run_zoo, write_zoo
from conformance_tests.zoo.matrix import BASE
from conformance_tests.zoo.report import as_html_table
from mink_core import MinkError, UsageError, __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.zoo.member import Member

_FAILURES = Path(".mink-conformance")
_SEEDS = 2**32
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class LevelName(Enum):
    """A level, as the command line names it."""

    SMOKE = "smoke"
    STANDARD = "standard"
    DEEP = "deep"


class DoorName(Enum):
    """The sync or the async store."""

    SYNC = "sync"
    ASYNC = "async"


_EXAMPLES = """\
\b
Examples:
  mink conformance memory:// --level smoke
  mink conformance postgresql://app@localhost/app --html report.html --junit report.xml
  mink conformance my_package.store:open_namespace --rules 'FEED-*' --stop
  mink conformance memory:// --zoo --rules APPEND-06
  mink conformance --list
  python -m conformance_tests --list     where the command mink is not installed

\b
Exit codes:
  0  passed
  1  a rule is broken
  2  wrong usage, or the target cannot be reached
"""


@app.command(epilog=_EXAMPLES)
def conformance(  # noqa: PLR0913 -- the options
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A store's URL, or package.module:callable that opens a namespace.")
    ] = "",
    *,
    level: Annotated[LevelName, typer.Option(help="How much is run.")] = LevelName.STANDARD,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.1, help="Go on drawing with new seeds for so long; means --level deep."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of all that is drawn; a new one unless given.")] = None,
    rules: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only checks of these rules, or so named: 'FEED-*'.")
    ] = None,
    door: Annotated[DoorName | None, typer.Option(help="For a URL that has both: which store.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first failure.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Print the rules with their checks.")] = False,
    zoo: Annotated[
        bool,
        typer.Option(
            "--zoo",
            help="Prove the checks: put stores that are broken on purpose, around TARGET or memory://, through them.",
        ),
    ] = False,
    replay_: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Run just a kept failure again.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them as JUnit's XML.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them as a page for people.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the matrix of rules for a README.")
    ] = None,
    badge: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a badge, as SVG.")] = None,
    failures: Annotated[Path, typer.Option(metavar="FOLDER", help="Where failures are kept for --replay.")] = _FAILURES,
) -> None:
    """Run the storage contract's rules against an event store."""
    console = Console(highlight=False, soft_wrap=True)
    _check_files(json, junit, html, markdown, badge)
    if list_:
        show_rules(console, all_checks(), rules or ["*"])
        return
    if replay_ is not None:
        _replay(console, replay_, target, door)
        return
    if zoo:
        _zoo(console, target, _Zoo(Level[level.name], seed or 0, rules, json, html, markdown))
        return
    if not target:
        msg = "name what to test: a store's URL (memory://), or package.module:callable; --help shows all"
        raise UsageError(msg)
    chosen = Level.DEEP if minutes is not None else Level[level.name]
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    choice = _Choice(chosen, seed, _selected(rules), stop, minutes, failures, _door(door))
    writers: list[tuple[Path | None, Callable[[Report], str]]] = [
        (json, as_json),
        (junit, as_junit),
        (html, as_html),
        (markdown, as_markdown),
        (badge, as_badge),
    ]
    if not any(check.level <= chosen and choice.select(check) for check in all_checks()):
        msg = f"no check is named by {rules} at level {chosen.name.lower()}: --list shows them"
        raise UsageError(msg)
    with target_of(target, door=_door(door)) as entered:
        report = _run(console, entered, choice)
    show(console, report)
    for path, write in writers:
        if path is not None:
            _write(path, write(report))
    if not report.passed:
        raise typer.Exit(1)


def _check_files(*files: Path | None) -> None:
    # Before the run, which may take minutes.
    for path in files:
        if path is None:
            continue
        if not path.parent.is_dir():
            msg = f"{path} cannot be written: there is no folder {path.parent}; nothing was run"
            raise UsageError(msg)
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            msg = f"{path} cannot be written: it is a folder, or not ours to write; nothing was run"
            raise UsageError(msg)


@dataclass(frozen=True)
class _Choice:
    """What the options say of a run."""

    level: Level
    seed: int
    select: Callable[[Check], bool]
    stop: bool
    minutes: float | None
    folder: Path
    door: str | None


def _run(console: Console, target: Target, choice: _Choice) -> Report:
    level, seed, select = choice.level, choice.seed, choice.select
    console.print(f"{target.name}: level {level.name.lower()}, seed {seed}", markup=False)
    total = sum(check.level <= level and select(check) for check in all_checks())
    deep = deep_budget() if level is Level.DEEP else None
    with live(console, total) as progress:
        report = run(
            target,
            level=level,
            seed=seed,
            select=select,
            told=progress.told,
            begins=progress.begins,
            stop_at_failure=choice.stop,
            budget=deep,
            minutes=choice.minutes,
        )

    def kept(result: Result) -> Result:
        if result.status is not Status.FAILED:
            return result
        return keep(result, target, level, choice.folder, door=choice.door)

    return replace(report, results=[kept(result) for result in report.results])


def _replay(console: Console, path: Path, target: str, door: DoorName | None) -> None:
    record = load(path)
    if (kit := record.get("kit")) != __version__:
        console.print(f"{path} was kept by version {kit} of the kit, and this is {__version__}.", markup=False)
    spec = target or record["target"]
    if not spec:
        msg = f"{path} does not name its target, whose URL holds a password: give it as TARGET"
        raise UsageError(msg)
    with target_of(spec, door=_door(door) or record.get("door")) as entered:
        result = replay(record, entered)
        if result.status is Status.FAILED:
            result = keep(result, entered, Level[str(record["level"])], path.parent, door=record.get("door"))
    show(console, Report(spec, Level[str(record["level"])], result.seed, frozenset(), [result], result.seconds))
    if result.status is not Status.FAILED:
        console.print(f"It did not fail again: {record['what']}", markup=False)
        return
    again = (result.what, result.expected, result.seen) == (record["what"], record["expected"], record["seen"])
    console.print(
        "It failed the same way." if again else f"It failed in another way than before: {record['what']}", markup=False
    )
    raise typer.Exit(1)


@dataclass(frozen=True)
class _Zoo:
    """What the options say of the zoo."""

    level: Level
    seed: int
    rules: list[str] | None
    json: Path | None
    html: Path | None
    markdown: Path | None


def _zoo(console: Console, target: str, choice: _Zoo) -> None:
    def select(member: Member) -> bool:
        names = (member.name, *member.rules)
        return not choice.rules or any(fnmatchcase(name, pattern) for name in names for pattern in choice.rules)

    trials = run_zoo(console, target, level=choice.level, seed=choice.seed, select=select)
    write_zoo(trials, as_json=choice.json, markdown=choice.markdown)
    if choice.html is not None:
        with target_of(target or BASE) as sound:
            report = run(sound, level=choice.level, seed=choice.seed)
        _write(choice.html, as_html(report, zoo=as_html_table(trials)))
    if not passed(trials):
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error}"
        raise UsageError(msg) from error


def _selected(rules: list[str] | None) -> Callable[[Check], bool]:
    return lambda check: not rules or any(check.matches(pattern) for pattern in rules)


def _door(door: DoorName | None) -> Any:
    return door.value if door else None


def main(arguments: list[str] | None = None, program: str = "python -m conformance_tests") -> int:
    """Run the command line; what goes wrong is one line on stderr.

    Returns:
        The exit code.
    """
    # What subscriptions say of failures that a check makes on purpose is no news.
    logging.getLogger("mink").addHandler(logging.NullHandler())
    try:
        code: Any = app(arguments, prog_name=program, standalone_mode=False)
    except MinkError as error:
        typer.echo(f"{program}: {error}", err=True)
        return 2
    except Exception as error:
        # The parser's own, by shape: typer brings a click of its own from some version on.
        show_error: Any = getattr(error, "show", None)
        if show_error is None:
            raise
        show_error()
        return 2
    return code if isinstance(code, int) else 0
