"""Tables for the terminal, and JSON for what comes after."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mink_benchmarks import loops
from mink_benchmarks.samples import spread
from mink_core import UsageError
from mink_core.compiled import is_compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mink_benchmarks.samples import Series


def number(value: float) -> str:
    """A figure for people: 1,234 or 1.23."""
    if abs(value) >= 100:  # noqa: PLR2004 -- below, the decimals tell something
        return f"{value:,.0f}"
    return f"{value:.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they need to be; all but the first are flush right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    made = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    ]
    return "\n".join([made[0], "-" * len(made[0]), *made[1:]])


def series_table(series: Mapping[str, Series], baseline: str | None) -> str:
    """Each case with its median, lowest and highest rate, its latencies, its ratio to the baseline, and what it counts beside."""
    beside = list(dict.fromkeys(name for found in series.values() for name in found.beside))
    header = ["case", "median/s", "min", "max", "p50 ms", "p99 ms", "ratio", "min", "max", *beside]
    rows: list[list[str]] = []
    for name, found in series.items():
        rates = spread(found.rates)
        row = [name, *(number(rates[key]) for key in ("median", "min", "max"))]
        calls = any(sample.latencies for sample in found.samples)
        row += [number(found.percentile(share)) if calls else "-" for share in (0.5, 0.99)]
        if baseline is not None and baseline in series:
            ratios = spread(found.ratios(series[baseline]))
            row += [number(ratios[key]) for key in ("median", "min", "max")]
        else:
            row += ["-", "-", "-"]
        row += [number(spread(found.beside[name])["median"]) if name in found.beside else "-" for name in beside]
        rows.append(row)
    return table(header, rows)


def environment(server: Mapping[str, str]) -> dict[str, Any]:
    """Where it was measured."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "compiled": is_compiled,
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "event_loop": loops.name(),
        "server": dict(server),
    }


def read_json(path: Path) -> Any:
    """What `write_json` wrote, or JSON of the user's.

    Raises:
        UsageError: There is no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg) from None
    except ValueError as error:
        msg = f"{path} is not JSON: {error}"
        raise UsageError(msg) from None


def read_run(path: Path, *kinds: str) -> dict[str, Any]:
    """A run's result, with figures of one of these kinds: `groups`, `costs`, `growth`, `tuning`.

    Raises:
        UsageError: There is no such file, or it is something else.
    """
    run = read_json(path)
    if not isinstance(run, dict) or not any(kind in run for kind in kinds):
        msg = f"{path} is no result of mink bench: it has no {' or '.join(kinds)}"
        raise UsageError(msg)
    return run


def check_place(path: Path) -> None:
    """Look whether a result can be written, before minutes are spent on it.

    Raises:
        UsageError: It cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from None
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        msg = f"{path} cannot be written: it is a folder, or may not be changed"
        raise UsageError(msg)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a run's result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
