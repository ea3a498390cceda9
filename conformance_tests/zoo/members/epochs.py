"""Feeds that tell another history's reader nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Page, PositionAheadError


@breaks("FEED-08")
class AheadIsEmpty(Wrapped):
    """Gives a reader whose position is above everything an empty page, for ever."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        try:
            return self.store.poll(after_position, **arguments)
        except PositionAheadError:
            return Page([], after_position)


@breaks("FEED-08")
class ReadsAnyHistory(Wrapped):
    """Does not compare the identity that a reader comes with."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        arguments["identity"] = None
        return self.store.poll(after_position, **arguments)

    def read_all(self, **arguments: Any) -> Any:
        arguments["identity"] = None
        return self.store.read_all(**arguments)


@breaks("FEED-08")
class ReadAllAheadIsEmpty(Wrapped):
    """`read_all` from above everything gives nothing, instead of refusing."""

    def read_all(self, **arguments: Any) -> Any:
        try:
            return self.store.read_all(**arguments)
        except PositionAheadError:
            return iter(())


@breaks("FEED-08")
class NewIdentityEachTime(Wrapped):
    """Makes an identity for each handle: every restart looks like another history."""

    def identity(self) -> Any:
        self.mine = getattr(self, "mine", None) or replace(self.store.identity(), store=uuid4())
        return self.mine
