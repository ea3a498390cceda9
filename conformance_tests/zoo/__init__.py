"""The zoo: stores that are broken on purpose, to prove that the checks see it.

A member wraps any sound store and breaks one rule, in a few lines, through the public names of
`mink_core` alone. So the kit knows no adapter here either: the store inside is given by its URL
(`--on`, `memory://` unless told otherwise), and members that need more than an adapter has are left
out and said so. Members that reach into one adapter live with that adapter's own tests, and are
given to the same matrix (`matrix.run`).
"""

from conformance_tests.zoo.cage import caged
from conformance_tests.zoo.member import Member, all_members, breaks
from conformance_tests.zoo.wrapped import AsyncWrapped, Shared, Wrapped

__all__ = ["AsyncWrapped", "Member", "Shared", "Wrapped", "all_members", "breaks", "caged"]
