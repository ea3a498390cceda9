"""What the one server of the tests is made to look like, and a call whose time is over."""

from __future__ import annotations

import pytest

from mink_jetstream.patience import Patience
from mink_jetstream.place import Place


def pretend_copies(monkeypatch: pytest.MonkeyPatch, *, alone: bool = False) -> None:
    """Whatever the server says, there are several copies, or one alone."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: alone, lambda place, value: None), raising=False)


def end_all_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of every call is over at once."""
    monkeypatch.setattr(Patience, "pause", _never)


async def _never(patience: Patience) -> bool:
    return False
