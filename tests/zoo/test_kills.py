"""Every broken store is killed by a check of a rule that it breaks, and a store that is only wrapped by none."""

from __future__ import annotations

import pytest

from conformance_tests import Layer, Level, Status, run
from conformance_tests.zoo import AsyncWrapped, Member, caged
from conformance_tests.zoo.matrix import put_through, rules_without_member
from conformance_tests.zoo.report import as_markdown, as_record, first_kill
from conformance_tests.zoo.wrapped import Altered
from tests.zoo.bases import ON_MEMORY, ON_POSTGRES, base_of, killing_trial


@pytest.mark.parametrize("member", ON_MEMORY, ids=lambda member: member.name)
def test_it_is_killed(member: Member) -> None:
    trial = killing_trial(member, "", others=2)
    assert first_kill(trial) in as_record(trial)["checks"]
    assert f"`{member.name}`" in as_markdown([trial])


def test_a_poll_that_an_open_transaction_holds_back_is_seen_every_time() -> None:
    """And not by the histories alone, whose threads may not meet in it."""
    (member,) = [member for member in ON_MEMORY if member.name == "StallsOnOpenTransactions"]
    with caged(member, base_of(member)) as target:
        report = run(
            target, level=Level.SMOKE, select=lambda it: it.rules[0] == "FEED-04" and it.layer is Layer.EXAMPLE
        )
    assert "a_transaction_that_has_not_appended_delays_nobody" in [
        it.check.name for it in report.results if it.status is Status.FAILED
    ]


def test_every_rule_has_a_member() -> None:
    members = [*ON_MEMORY, *ON_POSTGRES]
    assert rules_without_member(members) == []
    assert len(members) >= 40
    assert all(member.story.endswith(".") for member in members)


def test_what_needs_a_server_is_left_out_in_memory() -> None:
    member = next(member for member in ON_POSTGRES if member.hooks)
    trial = put_through(member, base_of(member))
    assert trial.missing == {"fault_injector"}
    assert trial.is_out_of_reach
    assert not trial.results


@pytest.mark.parametrize("kind", [Altered, AsyncWrapped])
def test_the_wrapping_alone_breaks_nothing(kind: type) -> None:
    sound = Member(kind.__name__, (), kind, frozenset(), issubclass(kind, AsyncWrapped), "Nothing.")
    with caged(sound, base_of(sound)) as target:
        report = run(target, level=Level.SMOKE, select=lambda check: check.layer is Layer.EXAMPLE)
    assert [f"{it.check.id}: {it.what}" for it in report.results if it.status is Status.FAILED] == []
