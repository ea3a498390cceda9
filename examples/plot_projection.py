# %% [markdown]
"""A projection, plotted: how the orders of a shop and its takings grow, event by event.

Run: python examples/plot_projection.py takings.png
Or cell by cell, in an editor that knows `# %%`. The store is in memory; any URL will do.
"""

# %%
import random
import sys
from dataclasses import dataclass, field
from itertools import accumulate

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from mink_core import NewEvent, Projection, StoredEvent, open_store

# %% Some history: 300 orders; some are paid, some are cancelled, some still wait.
store = open_store("memory://plot")
store.initialize()
chance = random.Random(1)
for number in range(300):
    total = chance.randrange(500, 20_000)
    store.append(f"order-{number}", [NewEvent("OrderPlaced", {"total": total})], expected_version=0)
    # Paid or cancelled is an earlier order, as in life.
    earlier = f"order-{chance.randrange(number + 1)}"
    fate = chance.choices([[NewEvent("OrderPaid", {})], [NewEvent("OrderCancelled", {})], []], [6, 1, 3])[0]
    store.update(earlier, lambda events, fate=fate: fate if len(events) == 1 else [])


# %% The projection: what is in this object is a function of the events, and of nothing else.
@dataclass
class Takings:
    """What is open and what was taken, after each event."""

    totals: dict[str, int] = field(default_factory=dict)
    opened: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def step(self, opened: int, taken: int) -> None:
        """Note a change of both."""
        self.opened.append(opened)
        self.taken.append(taken)


takings = Takings()
projection = Projection("takings")


@projection.on("OrderPlaced")
def _placed(event: StoredEvent, _tx: object) -> None:
    takings.totals[event.stream_id] = event.data["total"]
    takings.step(event.data["total"], 0)


@projection.on("OrderPaid")
def _paid(event: StoredEvent, _tx: object) -> None:
    total = takings.totals[event.stream_id]
    takings.step(-total, total)


@projection.on("OrderCancelled")
def _cancelled(event: StoredEvent, _tx: object) -> None:
    takings.step(-takings.totals[event.stream_id], 0)


for event in store.read_all(where=projection.where):
    projection(event)

# %% The plot.
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for name, changes in {"taken": takings.taken, "open": takings.opened}.items():
    axes.plot([cents / 100 for cents in accumulate(changes)], label=name)
axes.set(xlabel="events", ylabel="euros", title="A projection of 300 orders")
axes.legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "takings.png", dpi=120)

# %% The plot and the events agree.
paid = {event.stream_id for event in store.read_all() if event.event_type == "OrderPaid"}
assert sum(takings.taken) == sum(takings.totals[stream_id] for stream_id in paid)
print(f"{len(takings.taken)} events, {sum(takings.taken) / 100:.2f} euros taken")
store.close()
