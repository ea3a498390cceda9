"""The whole kill matrix: every member of the zoo, every example, and of the rest what it takes to kill it.

    python -m tests.matrix --minutes 60 --write

Runs at `standard` over three seeds, within so many minutes; members that were not reached are told. Seed 3
makes the table; with the others a member is let go when it is killed. Exits with 1
where a member survives, a rule has no member, or the minutes did not suffice. `--write` puts the figures into
docs/kill-matrix.md. With `--keep FILE` each trial is added to a file, and those that it has are not run again:

    python -m tests.matrix --keep trials.jsonl --seeds 1 2      beside, in another shell: --seeds 3
    python -m tests.matrix --keep trials.jsonl --write          runs what is missing and makes the page of all
    python -m tests.matrix --keep trials.jsonl --again --members 'NewOne'
"""

from __future__ import annotations

import argparse
import faulthandler
import platform
import sys
import time
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median

from conformance_tests import Level
from conformance_tests.check import all_checks
from conformance_tests.zoo.matrix import Trial, put_through, rules_without_member
from conformance_tests.zoo.report import as_markdown, first_kill, idle_checks, verdict
from mink_postgres.server import postgres_for_tests
from tests.kept_trials import keep, kept
from tests.zoo.bases import ON_MEMORY, ON_POSTGRES, base_of

TABLE = 3
"""The seed whose trials make the table: with it all examples run on each member."""
PAGE = Path(__file__).parents[1] / "docs" / "kill-matrix.md"
HEAD = """\
# Kill matrix

Each row is a store that is broken on purpose, in one rule: around the memory adapter, or where it is about connections
or SQL, around the PostgreSQL one. A number is how many checks of an area failed on it. *First kill* is the first check
of a rule it breaks that failed, and *seconds* the time until then, checks of its own rule first. All examples run on
each member; histories, interleavings and what else takes long only until it is killed. A member that no check of a rule
it breaks can see has survived, whatever else failed.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--level", choices=["smoke", "standard"], default="standard")
    parser.add_argument("--members", nargs="+", default=["*"], help="globs")
    parser.add_argument("--keep", type=Path, help="a file that trials are kept in, and not run again")
    parser.add_argument("--again", action="store_true", help="run also what --keep has; the new trial counts")
    parser.add_argument("--write", action="store_true", help="write docs/kill-matrix.md")
    given = parser.parse_args()
    faulthandler.enable()
    level = Level[given.level.upper()]
    members = [
        member for member in [*ON_MEMORY, *ON_POSTGRES] if any(fnmatchcase(member.name, it) for it in given.members)
    ]
    until = time.monotonic() + given.minutes * 60
    begun = time.monotonic()
    known = kept(given.keep, members) if given.keep and not given.again else {}
    todo = [(seed, member) for seed in given.seeds for member in members if (seed, member.name) not in known]
    ran: dict[tuple[int, str], Trial] = {}
    with ExitStack() as stack:
        url = stack.enter_context(postgres_for_tests()) if {it for _, it in todo} & set(ON_POSTGRES) else ""
        for seed, member in todo:
            if time.monotonic() > until:
                print(f"not reached: {member.name}, seed {seed}")
                continue
            base = base_of(member, url if member in ON_POSTGRES else "")
            trial = put_through(member, base, level=level, seed=seed, stop_at_failure=seed != TABLE)
            ran[seed, member.name] = trial
            if given.keep:
                keep(given.keep, seed, trial)
            print(f"{seed} {verdict(trial):9} {member.name:28} {trial.seconds:7.2f} s  {first_kill(trial)}", flush=True)
    took = time.monotonic() - begun
    every = known | ran
    trials = [
        (seed, every[seed, member.name]) for seed in given.seeds for member in members if (seed, member.name) in every
    ]
    survivors = sorted({trial.member.name for _, trial in trials if trial.survived and not trial.is_out_of_reach})
    without = rules_without_member([*ON_MEMORY, *ON_POSTGRES])
    times = sorted(trial.seconds for _, trial in trials if not trial.survived)
    figures = (
        f"{len(members)} members, {len(all_checks())} checks, level `{given.level}`, seeds {given.seeds}: "
        f"{len(trials)} trials, {sum(trial.survived for _, trial in trials)} survived. "
        f"Seconds to the first kill: min {times[0]:.2f}, median {median(times):.2f}, max {times[-1]:.2f} "
        f"(CPython {platform.python_version()}, {platform.system()})."
    )
    print(figures)
    print(f"{len(ran)} trials were run now, in {took / 60:.1f} minutes; {len(known)} were kept")
    print(f"survivors: {survivors}; rules without a member: {without}")
    if given.write:
        PAGE.write_text(page_of(figures, table_of(trials), [trial for _, trial in trials]), "utf-8")
    return 1 if survivors or without or len(trials) < len(members) * len(given.seeds) else 0


def table_of(trials: list[tuple[int, Trial]]) -> list[Trial]:
    """A trial for each member: that of the table's seed, or where it was not reached, another one."""
    rows = {trial.member.name: trial for _, trial in trials}
    rows |= {trial.member.name: trial for seed, trial in trials if seed == TABLE}
    return list(rows.values())


def page_of(figures: str, first: list[Trial], every: list[Trial]) -> str:
    """docs/kill-matrix.md: the figures, a row for each of the first trials, and what no trial at all was killed by."""
    idle = ", ".join(f"`{name}`" for name in idle_checks(every)) or "None."
    return (
        f"{HEAD}\n{figures}\n\nThe table is of seed 3.\n\n{as_markdown(first)}\n\n## Checks that killed nobody\n\n"
        "They ran and no member failed on them: they guard what no member breaks, or what others saw first (a check that "
        f"takes long does not run on a member that is dead).\n\n{idle}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
