"""Two runs side by side: what got slower beyond the noise of either."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from mink_benchmarks.report import number, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENOUGH_ROUNDS = 4
"""With so many of each, two ranges of the same thing lie apart by chance in 1 case of 35; with three in 1 of 10."""
PACED = "subscribe-latency"
"""The scenario whose rate is given, and whose delay is what is measured."""
SMALL, LARGE = 0.95, 0.75
"""A change that nobody notices is no finding, however quiet the machine was; one round of a busy machine must not hide a
large one. With noise of 10 % and a disturbed round in ten, an equal case is called slower in 0.7 % of comparisons, one at
0.7 of its rate in 80 %, one at 0.4 in 98 %."""


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, int]:
    """Compare a run with an older one.

    Absolute rates of two runs differ by what else the machine did. So each case is taken relative to a floor that was
    measured in the same rounds, or else to the baseline, round by round. It is called slower where the ranges of the two
    runs lie apart and the medians differ by more than `SMALL`; or by more than `LARGE`, and the ranges lie apart without
    one round in four at either end. Of `subscribe-latency`, whose rate is given, the median delay is compared.

    Returns:
        A table, with what only one of the runs has measured, and how many cases got slower.
    """
    rows: list[list[str]] = []
    slower = 0
    for group in dict.fromkeys([*new["groups"], *old["groups"]]):
        content = new["groups"].get(group, {"cases": []})
        before = _cases(old["groups"].get(group, {"cases": []}))
        after = _cases(content)
        base = _base(old["groups"].get(group, {}), content, before, after)
        for name in [name for name in after if name in before]:
            of = base if name != base and group != PACED else None
            own, other = (sorted(_values(group, cases[name], cases[of] if of else None)) for cases in (after, before))
            word = "the machine" if name in _floors(content) else _word(own, other)
            slower += word == "slower"
            middle, old_middle = statistics.median(own), statistics.median(other)
            change = f"{100 * (middle / old_middle - 1):+.0f} %"
            unit = "1/ms" if group == PACED else f"of {of}" if of else "events/s"
            rows.append([f"{group}: {name}", number(old_middle), number(middle), unit, change, word])
        # What is in one run only is said: one that failed to be measured is no case that is as fast as before.
        rows += [[f"{group}: {name}", "-", "-", "", "", "new"] for name in after if name not in before]
        rows += [[f"{group}: {name}", "-", "-", "", "", "gone"] for name in before if name not in after]
    return table(["case", "old", "new", "", "change", ""], rows), slower


def _cases(group: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    machine = group.get("machine")
    return {case["name"]: case for case in [*group["cases"], *([machine] if machine else [])]}


def _floors(group: Mapping[str, Any]) -> list[str]:
    """What is the same code in both runs."""
    return [*group.get("floors", ()), *([group["machine"]["name"]] if "machine" in group else [])]


def _base(
    old: Mapping[str, Any], new: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    """What both runs have measured in all rounds: a floor at best."""
    baseline = [new["baseline"]] if new.get("baseline") and new.get("baseline") == old.get("baseline") else []
    shared = [name for name in [*_floors(new), *baseline] if name in before and name in after]
    return shared[0] if shared else None


def _values(group: str, case: Mapping[str, Any], base: Mapping[str, Any] | None) -> Sequence[float]:
    """One a round; more is better."""
    if group == PACED:
        return [1 / delay for delay in case["p50_ms_rounds"]]
    rates: Sequence[float] = case["rates"]
    return rates if base is None else [own / other for own, other in zip(rates, base["rates"], strict=True)]


def _word(own: Sequence[float], other: Sequence[float]) -> str:
    if min(len(own), len(other)) < ENOUGH_ROUNDS:
        return "too few rounds"
    if _is_below(own, other):
        return "slower"
    return "faster" if _is_below(other, own) else "within noise"


def _is_below(low: Sequence[float], high: Sequence[float]) -> bool:
    change = statistics.median(low) / statistics.median(high)
    return (low[-1] < high[0] and change < SMALL) or (_middle(low)[-1] < _middle(high)[0] and change < LARGE)


def _middle(ordered: Sequence[float]) -> Sequence[float]:
    """Without one round in four at either end: with up to four, all of them."""
    left_out = (len(ordered) - 1) // 4
    return ordered[left_out : len(ordered) - left_out]
