"""The plot of a tuning run: how far each setting is from what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib import colormaps
from matplotlib.ticker import NullFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROW = 0.24
"""Inches."""
_WIDTH = 8.0
"""As well."""
_APART = 0.32
"""Rows between the marks of two works."""
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)


def paint(axes: Any, measured: Sequence[dict[str, Any]]) -> None:
    """A line for each setting under the name of what it is of, with a mark for each work in the colour of the work."""
    works = list(dict.fromkeys(one["work"] for one in measured))
    lines = [*_lines(measured)]
    middles, bottom = _places([len(found) for _, _, found in lines])
    ends = [1.0]
    for number, work in enumerate(works):
        colour = colormaps["tab20"](number % 20)
        points = [(place, one) for place, (_, _, found) in enumerate(lines) if (one := found.get(work))]
        middle = [one["median"] for _, one in points]
        ends += [one[end] for _, one in points for end in ("min", "max")]
        low, high = ([abs(one[end] - one["median"]) for _, one in points] for end in ("min", "max"))
        # Apart, or the whiskers of two works lie on one another.
        places = [middles[place] + _beside(list(lines[place][2]), work) for place, _ in points]
        axes.errorbar(middle, places, xerr=[low, high], fmt="o", markersize=4, capsize=2, color=colour, label=work)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yticks(middles, [name for name, _, _ in lines], fontsize=8)
    for label, (_, is_head, _) in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if is_head else "normal")
    axes.set_ylim(bottom, -0.6)
    axes.set_xscale("log")
    ticks = [tick for tick in _TICKS if 0.9 * min(ends) <= tick <= 1.1 * max(ends)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("rate, of the first one's: median, lowest and highest", fontsize=9)
    axes.figure.set_size_inches(_WIDTH, 1.6 + _ROW * bottom)
    axes.figure.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=9)


def _places(counts: Sequence[int]) -> tuple[list[float], float]:
    """The middle of each line, in rows, and where the last one ends: a line with many works is higher."""
    middles, top = [], -0.5
    for count in counts:
        height = max(1.0, _APART * (count + 1))
        middles.append(top + height / 2)
        top += height
    return middles, top


def _beside(works: Sequence[str], work: str) -> float:
    return _APART * (works.index(work) - (len(works) - 1) / 2)


def _lines(measured: Sequence[dict[str, Any]]) -> Iterator[tuple[str, bool, dict[str, dict[str, float]]]]:
    """The words of each line, whether it is a head, and what was measured by work."""
    for knob in dict.fromkeys(one["knob"] for one in measured):
        own = [one for one in measured if one["knob"] == knob]
        first, *others = [case["name"] for case in own[0]["cases"]]
        yield f"{knob}, of {first}", True, {}
        for name in others:
            found = {one["work"]: case["ratio"] for one in own for case in one["cases"] if case["name"] == name}
            yield name, False, found
