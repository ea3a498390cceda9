"""Concurrent histories: random programs of two to eight callers, run for real and judged afterwards.

Every history is judged by all rules, whatever its check aims at; the failure names the one that broke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.histories.counting import CONFLICTS, DELIVERIES, HELD, OVERLAPS, PAGES, REPEATS, UNDONE
from conformance_tests.histories.search import Search
from conformance_tests.histories.strategies import hand_overs, programs
from conformance_tests.level import Level
from mink_core import Capability

if TYPE_CHECKING:
    from conformance_tests.histories.strategies import Emphasis
    from conformance_tests.lab import Lab

_HAND_OVERS = {Level.SMOKE: 8, Level.STANDARD: 25, Level.DEEP: 500}


def _search(lab: Lab, emphasis: Emphasis) -> None:
    Search(lab).run(programs(emphasis, lab.capabilities), lab.budget.histories)


@check(
    "APPEND-06", "APPEND-01", "APPEND-02", "APPEND-03", "APPEND-04", "APPEND-05", "APPEND-10", "FEED-02", "READ-07",
    layer=Layer.HISTORY, requires=[OVERLAPS, CONFLICTS],
)  # fmt: skip
def racing_appends_are_linearizable(lab: Lab) -> None:
    """Of racing appends each success is the only one at its version, and each conflict was true during its call."""
    _search(lab, "races")


@check("APPEND-09", layer=Layer.HISTORY, requires=[REPEATS])
def racing_repeats_are_stored_once(lab: Lab) -> None:
    """A call that several callers make with the same ids, or one repeats, is stored once and gives one result."""
    _search(lab, "repeats")


@check("APPEND-11", "APPEND-01", needs=[Capability.APPEND_BATCH], layer=Layer.HISTORY, requires=[OVERLAPS])
def racing_batches_are_whole(lab: Lab) -> None:
    """Batches that race for the same streams are stored whole or not at all, and never deadlock."""
    _search(lab, "batches")


@check(
    "TX-01", "TX-03", "FEED-03", "FEED-04", "FEED-09",
    needs=[Capability.TRANSACTIONS], layer=Layer.HISTORY, requires=[UNDONE, HELD],
)  # fmt: skip
def racing_transactions_are_whole(lab: Lab) -> None:
    """Transactions become visible at once or never, and nobody sees them before."""
    _search(lab, "transactions")


@check("FEED-01", "FEED-02", "FEED-05", "FEED-06", "FEED-07", "READ-06", layer=Layer.HISTORY, requires=[PAGES])
def readers_of_the_feed_miss_nothing(lab: Lab) -> None:
    """Whatever is held open or rolled back meanwhile, what a reader was taken past it was given, once and in order."""
    _search(lab, "readers")


@check("SUB-01", "SUB-02", "SUB-05", needs=[Capability.SUBSCRIBE], layer=Layer.HISTORY, requires=[DELIVERIES])
def subscriptions_are_the_feed(lab: Lab) -> None:
    """A subscription that began before, among or after concurrent appends is given exactly the feed."""
    _search(lab, "subscriptions")


@check("SUB-01", needs=[Capability.SUBSCRIBE], layer=Layer.HISTORY, requires=[DELIVERIES])
def subscriptions_go_live_without_a_gap(lab: Lab) -> None:
    """Subscriptions that catch up at one moment after another, while three writers append, lose and repeat nothing."""
    Search(lab).run(hand_overs(), _HAND_OVERS[lab.level])
