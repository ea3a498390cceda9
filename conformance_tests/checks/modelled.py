"""Layer MODEL: random programs and values against an independent model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.model.machine import check_programs

if TYPE_CHECKING:
    from conformance_tests.lab import Lab


@check(
    "APPEND-02",
    "APPEND-03",
    "APPEND-04",
    "APPEND-05",
    "APPEND-09",
    "APPEND-10",
    "APPEND-11",
    "JSON-01",
    "JSON-04",
    "READ-01",
    "READ-02",
    "READ-03",
    "READ-05",
    "READ-06",
    "READ-09",
    "FEED-01",
    "FEED-02",
    "FEED-03",
    "FEED-05",
    "FEED-06",
    "FEED-07",
    "FEED-09",
    "TX-01",
    "TX-03",
    layer=Layer.MODEL,
    requires=("programs", "calls"),
)
def programs_answer_as_the_model(lab: Lab) -> None:
    """Random programs of all calls, on two handles and in transactions, answer as a model of the contract does."""
    check_programs(lab)
