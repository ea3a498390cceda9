"""Two runs side by side: what got slower beyond the noise of either."""

from __future__ import annotations

from typing import Any

from mink_benchmarks.report import number, table


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, int]:
    """Compare a run with an older one.

    Absolute rates of two runs differ by what else the machine did. So each case is taken relative to
    the run's own baseline where it has one, and is called slower only where the two ranges do not meet.

    Returns:
        A table, and how many cases got slower.
    """
    before = _cases(old)
    rows: list[list[str]] = []
    slower = 0
    for key, (low, middle, high) in _cases(new).items():
        if key not in before:
            continue
        old_low, old_middle, old_high = before[key]
        word = "slower" if high < old_low else "faster" if low > old_high else "within noise"
        slower += word == "slower"
        change = f"{100 * (middle / old_middle - 1):+.0f} %"
        rows.append([key, number(old_middle), number(middle), change, word])
    return table(["case", "old", "new", "change", ""], rows), slower


def _cases(run: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    found: dict[str, tuple[float, float, float]] = {}
    for group, content in run["groups"].items():
        base = next((case for case in content["cases"] if case["name"] == content.get("baseline")), None)
        for case in content["cases"]:
            rates = case["rates"]
            if base is not None and case is not base:
                rates = [own / other for own, other in zip(rates, base["rates"], strict=True)]
            ordered = sorted(rates)
            found[f"{group}: {case['name']}"] = (ordered[0], ordered[len(ordered) // 2], ordered[-1])
    return found
