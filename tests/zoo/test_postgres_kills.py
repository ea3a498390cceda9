"""What breaks with its connections, and our PostgreSQL adapter with one thing wrong in its SQL, are killed as well.

The quick ones; `python -m tests.matrix` runs all of them.
"""

from __future__ import annotations

import pytest

from conformance_tests.zoo import Member
from tests.zoo.bases import ON_POSTGRES, killing_trial

QUICK = {"SqlPlainPolling", "SqlReadsThenBumps", "EndsWithItsConnection", "ClosesWhatIsLent"}


@pytest.mark.parametrize("member", [it for it in ON_POSTGRES if it.name in QUICK], ids=lambda member: member.name)
def test_it_is_killed(member: Member, postgres_url: str) -> None:
    killing_trial(member, postgres_url, others=0)
