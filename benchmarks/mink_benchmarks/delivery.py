"""How long an event takes to a subscriber, and what wake-ups cost the appends.

    python -m mink_benchmarks.delivery --plot delivery.png

Writers are processes of their own. A delay is counted from the call of `append` to the handler's call.
Rounds of all arms are interleaved, so that a busy moment of the machine hits them alike.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import threading
import time
from collections import defaultdict
from typing import Any, NamedTuple

from mink_benchmarks.wakeup_cost import PAYLOAD, cost
from mink_core import ExpectedVersion, NewEvent, StoredEvent
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer

ANY = ExpectedVersion.ANY
RATE = 500


class Arm(NamedTuple):
    """One way to follow."""

    name: str
    wakeups: bool
    poll_interval: float
    durable: bool


ARMS = (
    Arm("live, wake-ups", wakeups=True, poll_interval=0.1, durable=False),
    Arm("live, polling every 100 ms", wakeups=False, poll_interval=0.1, durable=False),
    Arm("live, polling every 10 ms", wakeups=False, poll_interval=0.01, durable=False),
    Arm("durable, wake-ups", wakeups=True, poll_interval=0.1, durable=True),
    Arm("durable, polling every 100 ms", wakeups=False, poll_interval=0.1, durable=True),
)


def write_steadily(url: str, wakeups: bool, rate: float, seconds: float, begin: float) -> None:
    """Append one event at a time, at a rate."""
    with PostgresEventStore(url, wakeups=wakeups, min_size=1) as store:
        store.append("warm-1", [NewEvent("Warm", None)], expected_version=ANY)
        time.sleep(max(begin - time.monotonic(), 0))
        count = 0
        while (now := time.monotonic()) < begin + seconds:
            event = NewEvent("Placed", {"called": time.monotonic_ns(), **PAYLOAD})
            store.append(f"order-{count % 1000}", [event], expected_version=ANY)
            count += 1
            time.sleep(max(begin + count / rate - now, 0))


def delays(url: str, arm: Arm, rate: float, seconds: float) -> list[float]:
    """Milliseconds from each call of append to the handler's."""
    found: list[float] = []

    def handle(event: StoredEvent) -> None:
        if event.event_type == "Placed":
            found.append((time.monotonic_ns() - event.data["called"]) / 1e6)

    with PostgresEventStore(url, wakeups=arm.wakeups, min_size=2) as store:
        begin = time.monotonic() + 1.5
        arguments = (url, arm.wakeups, rate, seconds, begin)
        writer = multiprocessing.get_context("spawn").Process(target=write_steadily, args=arguments)
        if arm.durable:
            with store.subscription("delay", handle, after_position=None, poll_interval=arm.poll_interval):
                wait_for(writer)
            store.subscriptions.reset("delay")
        else:
            subscription = store.subscribe(after_position=store.head_position(), poll_interval=arm.poll_interval)

            def follow() -> None:
                for batch in subscription:
                    for event in batch:
                        handle(event)

            follower = threading.Thread(target=follow)
            follower.start()
            wait_for(writer)
            subscription.close()
            follower.join()
    return found


def wait_for(writer: Any) -> None:
    """Start it, and give its last events time to arrive."""
    writer.start()
    writer.join()
    time.sleep(0.3)


def spread(values: list[float]) -> str:
    """Min, median and max."""
    return f"{min(values):9.2f} {statistics.median(values):9.2f} {max(values):9.2f}"


def percentile(values: list[float], share: float) -> float:
    """The value that this share is not above."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def measure(
    url: str, postmaster: int, rounds: int, seconds: float
) -> tuple[dict[str, list[list[float]]], dict[str, list[float]]]:
    """All of it, printed as it comes."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for _ in range(rounds):
        for arm in ARMS:
            found[arm.name].append(delays(url, arm, RATE, seconds))
    print(f"Delay in ms at {RATE} appends/s, {rounds} rounds of {seconds:g} s{'':14}min    median       max")
    for name, runs in found.items():
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            print(f"{name:36} {label:12} {spread([percentile(run, share) for run in runs])}", flush=True)
    ratios: dict[str, list[float]] = {}
    print(
        "\nAppends with wake-ups off and on      appends/s: off    on   ratio: min median   max   CPU us/append: off   on   ratio"
    )
    for follower in (False, True):
        for name, pairs in cost(url, 2 * rounds, postmaster, follower=follower):
            ratios[name] = [off.cpu / on.cpu for off, on in pairs]
            rates = [on.rate / off.rate for off, on in pairs]
            off_rate, on_rate, off_cpu, on_cpu = (
                statistics.median(getattr(pair[side], what) for pair in pairs)
                for what, side in (("rate", 0), ("rate", 1), ("cpu", 0), ("cpu", 1))
            )
            print(
                f"{name:40} {off_rate:12.0f} {on_rate:7.0f} {min(rates):9.2f} {statistics.median(rates):6.2f} "
                f"{max(rates):6.2f} {off_cpu:16.0f} {on_cpu:6.0f} {statistics.median(ratios[name]):7.2f}",
                flush=True,
            )
    return found, ratios


def plot(path: str, found: dict[str, list[list[float]]], ratios: dict[str, list[float]]) -> None:
    """The delays' distributions, and each round's ratio."""
    import matplotlib as mpl  # noqa: PLC0415 -- only for the plot

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- after the choice of a backend

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), width_ratios=(3, 2))
    for name, runs in found.items():
        values = sorted(value for run in runs for value in run)
        shares = [(index + 1) / len(values) for index in range(len(values))]
        left.step(values, shares, where="post", label=name)
    left.set(xscale="log", xlabel="ms from append's call to the handler's", ylabel="share of events")
    left.set_title(f"Delivery at {RATE} appends/s")
    left.axhline(0.99, color="grey", linewidth=0.5)
    left.grid(alpha=0.3)
    left.legend(loc="lower right")
    for height, values in enumerate(reversed(ratios.values())):
        right.plot(values, [height] * len(values), "o", color="tab:blue", alpha=0.5)
        right.plot(statistics.median(values), height, "|", color="black", markersize=16)
    right.set_yticks(range(len(ratios)), list(reversed(ratios)))
    right.axvline(0.95, color="tab:red", linewidth=1, label="0.95")
    right.set(xlabel="CPU an append with wake-ups off, of that with them on")
    right.set_title("What wake-ups cost the appends")
    right.grid(alpha=0.3)
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure on a server of its own, or on the one that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a PostgreSQL to use; without, one is started")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--plot", metavar="FILE", help="write a plot there (needs matplotlib)")
    given = parser.parse_args()
    if given.url:
        results = run_on(given.url, 0, given.rounds, given.seconds)
    else:
        with EmbeddedServer.start() as server:
            results = run_on(server.url(), server.pid, given.rounds, given.seconds)
    if given.plot:
        plot(given.plot, *results)


def run_on(
    url: str, postmaster: int, rounds: int, seconds: float
) -> tuple[dict[str, list[list[float]]], dict[str, list[float]]]:
    """Initialize and measure."""
    with PostgresEventStore(url, min_size=1) as store:
        store.initialize()
    return measure(url, postmaster, rounds, seconds)


if __name__ == "__main__":
    main()
