"""Plots of a run's JSON, as PNG and SVG."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")  # no display is needed
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from mink_benchmarks.compare import PACED
from mink_benchmarks.tuning import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

mpl.rcParams["svg.hashsalt"] = "mink"  # the same figures give the same file
_NO_DATE: dict[str, Any] = {".svg": {"Date": None}, ".png": {}}
_CLIENT, _SERVER = "#4878a8", "#d08c4a"
_BAR = 0.42
_TENS = 20
"""Above so many, decimals tell nothing."""
_SIZE = (6.4, 4.4)
"""Inches: no wider, so that letters can be read on a telephone, where a plot is made as narrow as the screen."""
_WRITERS = re.compile(r"^(.*), (\d+)$")


def draw(result: dict[str, Any], folder: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw whatever plots the run has the figures for; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for name, group in result.get("groups", {}).items():
        if name != PACED:
            made += _saved(folder, formats, f"{name}-rates", partial(_rates, name=name, group=group))
        lines = _by_writers(group)
        if lines:
            made += _saved(folder, formats, f"{name}-throughput", partial(_throughput, name=name, lines=lines))
            made += _saved(folder, formats, f"{name}-latency", partial(_latency, name=name, lines=lines))
        if all("conflicts/s" in case.get("beside", {}) for case in group["cases"]):
            made += _saved(folder, formats, f"{name}-conflicts", partial(_conflicts, name=name, group=group))
        if lines and all("delivery p50 ms" in case.get("beside", {}) for case in group["cases"]):
            made += _saved(folder, formats, f"{name}-delivery", partial(_delivery, name=name, lines=lines))
        if any(case.get("distribution", [[0, 0]])[-1][1] for case in group["cases"]):
            made += _saved(
                folder, formats, f"{name}-latencies", partial(_latencies, name=name, group=group, lines=lines)
            )
    for name, costs in result.get("costs", {}).items():
        made += _saved(folder, formats, f"cost-of-{name.replace(' ', '-')}", partial(_costs, name=name, costs=costs))
    if "growth" in result:
        steps, beyond = result["growth"], result.get("extrapolated", {})
        made += _saved(folder, formats, "growth", partial(_growth, steps=steps, extrapolated=beyond))
        made += _saved(folder, formats, "growth-sizes", partial(_sizes, steps=steps))
    if "tuning" in result:
        made += _saved(folder, formats, "tuning", partial(picture.paint, measured=result["tuning"]))
    return made


def _saved(folder: Path, formats: Sequence[str], name: str, paint: Callable[[Any], None]) -> list[Path]:
    figure, axes = plt.subplots(figsize=_SIZE, layout="constrained")
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    paint(axes)
    axes.spines[["top", "right"]].set_visible(False)
    paths = [folder / f"{name}.{suffix}" for suffix in formats]
    for path in paths:
        figure.savefig(path, dpi=120, metadata=_NO_DATE[path.suffix])
    plt.close(figure)
    return paths


def _rates(axes: Any, name: str, group: dict[str, Any]) -> None:
    cases = sorted(group["cases"], key=lambda case: case["median"])
    places = range(len(cases))
    axes.barh(places, [case["median"] for case in cases], color=_CLIENT, height=_BAR)
    low = [case["median"] - case["min"] for case in cases]
    high = [case["max"] - case["median"] for case in cases]
    axes.errorbar([case["median"] for case in cases], places, xerr=[low, high], fmt="none", ecolor="black", capsize=3)
    _name_bars(axes, [case["name"] for case in cases])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("events a second: median, lowest and highest round")
    axes.set_title(name)


def _costs(axes: Any, name: str, costs: list[dict[str, Any]]) -> None:
    ordered = costs[::-1]
    places = range(len(ordered))
    client = [cost["client"] for cost in ordered]
    server = [cost["server"] or 0.0 for cost in ordered]  # None where it was not counted
    axes.barh(places, client, color=_CLIENT, height=_BAR, label="client")
    axes.barh(places, server, left=client, color=_SERVER, height=_BAR, label="server")
    widest = max(one + other for one, other in zip(client, server, strict=True))
    for place, cost, own, other in zip(places, ordered, client, server, strict=True):
        told = "server not counted" if cost["server"] is None else f"{own + other:{'.0f' if widest > _TENS else '.1f'}}"
        axes.text(own + other + widest / 100, place, told, va="center", fontsize=9)
    axes.set_xlim(right=1.12 * widest)
    _name_bars(axes, [cost["name"] for cost in ordered])
    axes.set_xlabel("microseconds of processor time: client, server and, as a number, both")
    axes.set_title(f"where the time of {name} goes")
    _below(axes)


def _conflicts(axes: Any, name: str, group: dict[str, Any]) -> None:
    ordered = group["cases"][::-1]
    stored = [case["median"] for case in ordered]
    conflicts = [case["beside"]["conflicts/s"]["median"] for case in ordered]
    axes.barh(range(len(ordered)), stored, color=_CLIENT, height=_BAR, label="stored")
    axes.barh(range(len(ordered)), conflicts, left=stored, color=_SERVER, height=_BAR, label="conflicts, tried again")
    _name_bars(axes, [case["name"] for case in ordered])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("appends a second: medians")
    axes.set_title(f"{name}: stored, and refused")
    _below(axes)


def _delivery(axes: Any, name: str, lines: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    for label, points in lines.items():
        writers = [count for count, _ in points]
        middle, tail = (
            [case["beside"][f"delivery {share} ms"]["median"] for _, case in points] for share in ("p50", "p99")
        )
        [line] = axes.plot(writers, middle, marker="o", label=label)
        axes.plot(writers, tail, marker="o", markersize=3, linestyle=":", color=line.get_color())
    _writers_axis(axes, lines)
    _milliseconds(axes)
    axes.set_ylabel("ms to the subscriber: median; dotted: p99")
    axes.set_title(f"{name}: delivery against writers")
    _below(axes)


def _name_bars(axes: Any, names: Sequence[str]) -> None:
    """Names above the bars: beside them they would take half of the width."""
    for place, name in enumerate(names):
        axes.annotate(name, (0, place + _BAR / 2), xytext=(2, 1), textcoords="offset points", fontsize=9, va="bottom")
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(names) - 0.2)
    axes.figure.set_size_inches(_SIZE[0], 1.3 + 0.42 * len(names))


def _by_writers(group: dict[str, Any]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    lines: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for case in group["cases"]:
        found = _WRITERS.match(case["name"])
        if found:
            lines.setdefault(found[1], []).append((int(found[2]), case))
    return {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items() if len(points) > 1}


def _writers_axis(axes: Any, lines: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    axes.set_xscale("log", base=2)
    ticks = sorted({writers for points in lines.values() for writers, _ in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("writers")


def _below(axes: Any) -> None:
    axes.figure.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=9)


def _throughput(axes: Any, name: str, lines: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    for label, points in lines.items():
        writers = [count for count, _ in points]
        [line] = axes.plot(writers, [case["median"] for _, case in points], marker="o", label=label)
        low, high = [case["min"] for _, case in points], [case["max"] for _, case in points]
        axes.fill_between(writers, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    _writers_axis(axes, lines)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("events a second; band: all rounds")
    axes.set_title(f"{name}: throughput against writers")
    _below(axes)


def _latency(axes: Any, name: str, lines: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    for label, every in lines.items():
        points = [(count, case) for count, case in every if case["p50_ms"]]  # a floor tells no single calls
        if not points:
            continue
        writers = [count for count, _ in points]
        [line] = axes.plot(writers, [case["p50_ms"] for _, case in points], marker="o", label=label)
        tail = [case["p99_ms"] for _, case in points]
        axes.plot(writers, tail, marker="o", markersize=3, linestyle=":", color=line.get_color())
    _writers_axis(axes, lines)
    _milliseconds(axes)
    axes.set_ylabel("milliseconds a call: median; dotted: p99")
    axes.set_title(f"{name}: latency against writers")
    _below(axes)


def _milliseconds(axes: Any) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _latencies(axes: Any, name: str, group: dict[str, Any], lines: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    """The distribution with its tail stretched: each step to the right is ten times as rare."""
    cases = [points[-1][1] for points in lines.values()] or group["cases"]
    for case in cases:
        points = [(share, value) for share, value in case.get("distribution", ()) if value]
        if not points:
            continue
        axes.plot([-math.log10(1 - share) for share, _ in points], [value for _, value in points], label=case["name"])
    shares = (0.5, 0.9, 0.99, 0.999, 0.9999)
    axes.set_xticks([-math.log10(1 - share) for share in shares], [f"{100 * share:g} %" for share in shares])
    _milliseconds(axes)
    axes.set_xlabel("share of the calls")
    axes.set_ylabel("took at most so many milliseconds")
    axes.set_title(f"{name}: distribution of latencies" + (", most writers" if lines else ""))
    _below(axes)


def _growth(axes: Any, steps: list[dict[str, Any]], extrapolated: dict[str, float]) -> None:
    events = [step["events"] / 1e6 for step in steps]
    labels = {
        "appends": "appends, 64 tasks",
        "streams": "streams of 100, read whole",
        "replay": "replay, pages of 1,000",
        "category": "a category of 1 event in 100",
    }
    for number, (how, label) in enumerate(labels.items()):
        beside = 1 + 0.02 * (number - 1.5)  # or the whiskers lie on one another
        ratios = [step[how]["ratio"] for step in steps]
        middle = [one["median"] for one in ratios]
        spread = [[one["median"] - one["min"] for one in ratios], [one["max"] - one["median"] for one in ratios]]
        (line, *_) = axes.errorbar(
            [count * beside for count in events], middle, yerr=spread, marker="o", markersize=4, capsize=3, label=label
        )
        if how in extrapolated:
            beyond = [events[-1] * beside, extrapolated["events"] / 1e6]
            axes.plot(beyond, [middle[-1], extrapolated[how]], linestyle=":", marker="x", color=line.get_color())
    axes.set_xscale("log")
    ticks = [*events, *([extrapolated["events"] / 1e6] if extrapolated else [])]
    axes.set_xticks(ticks, [f"{count:g} M" for count in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.axhline(1, color="grey", linewidth=0.5)
    axes.set_xlabel("events in the log; dotted: extrapolated")
    axes.set_ylabel("rate, of a log of 1 M in the same rounds")
    axes.set_title("growth")
    _below(axes)


def _sizes(axes: Any, steps: list[dict[str, Any]]) -> None:
    names = sorted({name for step in steps for name in step["sizes"]}, key=lambda name: -steps[-1]["sizes"][name])
    places = range(len(steps))
    below = [0.0] * len(steps)
    for name in names:
        sizes = [step["sizes"][name] / step["events"] for step in steps]
        axes.bar(places, sizes, bottom=below, label=name, width=0.6)
        below = [one + other for one, other in zip(below, sizes, strict=True)]
    axes.set_xticks(list(places), [f"{step['events'] / 1e6:g} M" for step in steps])
    axes.set_xlabel("events in the log")
    axes.set_ylabel("bytes an event")
    axes.set_title("table and indexes")
    _below(axes)
