"""The picture of a soak: rates, memory, connections over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.soak.history.judging import Counted
    from tests.soak.history.sampling import Sample


def draw(path: Path, title: str, windows: Sequence[Counted], samples: Sequence[Sample]) -> None:
    """Draw it as PNG, or as what the path's suffix says."""
    import matplotlib as mpl  # noqa: PLC0415 -- only where a picture is asked for

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 -- only where a picture is asked for

    figure, (rates, memory, connections) = plt.subplots(3, 1, figsize=(10, 9), sharex=True, layout="constrained")
    minutes = [window.at / 60 for window in windows]
    for name in ("appends", "events", "reads", "deliveries", "conflicts"):
        rates.plot(minutes, [getattr(window, name) / window.seconds for window in windows], label=name, linewidth=1)
    rates.set_yscale("log")
    rates.set_ylabel("a second")
    rates.set_title(title, fontsize=10)
    for panel, kind, unit in ((memory, "memory", "MiB, not shared"), (connections, "", "count")):
        names = sorted({name for sample in samples for name in sample if name != "seconds"})
        shown = [
            name
            for name in names
            if (name.startswith("memory") if kind else name.startswith(("connections", "threads")))
        ]
        for name in shown:
            points = [(it["seconds"] / 60, it[name]) for it in samples if name in it]
            panel.plot([x for x, _ in points], [y for _, y in points], label=name.removeprefix("memory "), linewidth=1)
        panel.set_ylabel(unit)
    memory.set_ylim(bottom=0)
    connections.set_ylim(bottom=0)
    for panel in (rates, memory, connections):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    connections.set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    plt.close(figure)
