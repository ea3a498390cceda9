"""Our PostgreSQL adapter with one thing wrong in its SQL is killed as well."""

from __future__ import annotations

import pytest

from conformance_tests import Level, target_of
from conformance_tests.zoo import Member
from conformance_tests.zoo.matrix import put_through
from tests.zoo.postgres_members import MEMBERS

QUICK = {"SqlPlainPolling", "SqlReadsThenBumps", "SqlTimeOfTheTransaction"}


@pytest.mark.parametrize("member", [it for it in MEMBERS if it.name in QUICK], ids=lambda member: member.name)
def test_it_is_killed(member: Member, postgres_url: str) -> None:
    trial = put_through(member, target_of(postgres_url, door="sync"), level=Level.SMOKE, seed=1, others=0)
    assert not trial.survived, f"{member.name} ({', '.join(member.rules)}): {member.story}"
