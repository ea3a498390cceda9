"""What breaks with its connections, and our PostgreSQL adapter with one thing wrong in its SQL, are killed as well.

The quick ones; `python -m tests.matrix` runs all of them.
"""

from __future__ import annotations

import pytest

from conformance_tests import Level
from conformance_tests.zoo import Member
from conformance_tests.zoo.matrix import put_through
from tests.zoo.bases import ON_POSTGRES, base_of

QUICK = {"SqlPlainPolling", "SqlReadsThenBumps", "EndsWithItsConnection", "ClosesWhatIsLent"}


@pytest.mark.parametrize("member", [it for it in ON_POSTGRES if it.name in QUICK], ids=lambda member: member.name)
def test_it_is_killed(member: Member, postgres_url: str) -> None:
    trial = put_through(member, base_of(member, postgres_url), level=Level.SMOKE, seed=1, others=0)
    assert trial.missing == frozenset()
    assert not trial.survived, f"{member.name} ({', '.join(member.rules)}): {member.story}"
