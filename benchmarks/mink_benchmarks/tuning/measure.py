"""`mink bench tuning`: each setting beside what is usual, in interleaved rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.samples import run_rounds, spread
from mink_benchmarks.tuning import columns
from mink_benchmarks.tuning.knobs import COLUMNS, KNOBS, NAMES
from mink_benchmarks.tuning.tuned import Tuned

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_HAS_LZ4 = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"


def measure_tuning(
    server: Server, workload: Workload, options: Namespace, progress: Callable[[str], None], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Measure all that was asked for, and say each table as soon as it is there.

    Returns:
        For each knob and work what is kept of it; ratios are to the first case.
    """
    measured: list[dict[str, Any]] = []
    for knob, work, cases in _plan(server, workload, options, say):
        found = run_rounds(
            cases, rounds=options.rounds, seconds=options.seconds, progress=progress, settle=server.settle
        )
        first = found[cases[0].name]
        say(f"\n{knob}: {work}; ratios to {first.name}")
        say(report.series_table(found, first.name))
        figures = [{**series.as_json(), "ratio": spread(series.ratios(first))} for series in found.values()]
        measured.append({"knob": knob, "work": work, "cases": figures})
    return measured


def _plan(
    server: Server, workload: Workload, options: Namespace, say: Callable[[str], None]
) -> Iterator[tuple[str, str, list[Case]]]:
    wanted = options.only or NAMES
    ((has_lz4,),) = server.run(_HAS_LZ4)
    for knob in KNOBS:
        if knob.name not in wanted:
            continue
        if knob.needs_own_server and options.server:
            say(f"\n{knob.name}: not measured, as it changes settings of the whole server; leave --server out for it")
            continue
        settings = [setting for setting in knob.settings if has_lz4 or not setting.needs_lz4]
        if len(settings) < len(knob.settings):
            say(f"\n{knob.name}: lz4 is not measured, as this server was built without it")
        for work in knob.works:
            yield knob.name, work, [Tuned(setting, work, server, workload) for setting in settings]
    if COLUMNS in wanted:
        for work, cases in columns.cases(server, workload).items():
            yield COLUMNS, work, cases
