"""All that is looked at in a history. A judge is a pure function of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.histories import judge_answers, judge_feed, judge_reads, judge_stored
from conformance_tests.histories.facts import Facts

if TYPE_CHECKING:
    from conformance_tests.histories.facts import Violation
    from conformance_tests.histories.history import History

JUDGES = (
    judge_answers.errors_are_the_contracts,
    judge_stored.versions_are_contiguous,
    judge_stored.positions_are_unique,
    judge_stored.results_are_what_is_stored,
    judge_answers.successes_met_their_expectation,
    judge_answers.conflicts_are_justified,
    judge_answers.repeats_are_recognized,
    judge_stored.events_are_stored_once,
    judge_stored.calls_are_whole,
    judge_stored.refusals_store_nothing,
    judge_stored.batches_are_in_order,
    judge_stored.order_is_real_time,
    judge_reads.nothing_is_seen_before_its_commit,
    judge_reads.reads_are_prefixes,
    judge_reads.versions_are_true,
    judge_feed.pages_never_change,
    judge_feed.read_all_is_a_prefix,
    judge_feed.heads_are_in_the_feed,
    judge_feed.the_feed_waits_for_appends_only,
    judge_feed.subscriptions_are_the_feed,
)
"""In the order in which their findings are told: causes before what follows from them."""


def judge(history: History) -> list[Violation]:
    """Every way in which a history breaks a rule; empty for a good one."""
    facts = Facts(history)
    return [violation for one in JUDGES for violation in one(facts)]
