"""The sound store inside of a member: memory, but for what only a server has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests import Level
from conformance_tests.target import target_of
from conformance_tests.zoo import all_members
from conformance_tests.zoo.matrix import BASE, put_through
from tests.zoo.postgres_members import MEMBERS as SQL_MEMBERS

if TYPE_CHECKING:
    from conformance_tests.target import Target
    from conformance_tests.zoo import Member
    from conformance_tests.zoo.matrix import Trial

ON_MEMORY = [member for member in all_members() if not member.hooks]
ON_POSTGRES = [*(member for member in all_members() if member.hooks), *SQL_MEMBERS]


def base_of(member: Member, postgres: str = "") -> Target:
    """By the door that the member is made for."""
    return target_of(postgres or BASE, door="async" if member.is_async else "sync")


def killing_trial(member: Member, postgres: str, *, others: int) -> Trial:
    """The trial in which the member was killed: how threads meet is chance, so a survivor is tried by another seed."""
    for seed in range(1, 5):
        trial = put_through(member, base_of(member, postgres), level=Level.SMOKE, seed=seed, others=others)
        assert trial.missing == frozenset()
        if not trial.survived:
            return trial
    raise AssertionError(f"{member.name} ({', '.join(member.rules)}) survived: {member.story}")
