"""The sound store inside of a member, and the members that only our own adapters have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.target import target_of
from conformance_tests.zoo import all_members
from conformance_tests.zoo.matrix import BASE

if TYPE_CHECKING:
    from conformance_tests.target import Target
    from conformance_tests.zoo import Member

MEMBERS = all_members()


def base_of(member: Member) -> Target:
    """Memory, by the door that the member is made for."""
    return target_of(BASE, door="async" if member.is_async else "sync")
