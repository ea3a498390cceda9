"""What the one server of the tests is made to look like, and calls whose time is over."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mink_jetstream.answers import Cluster, Peer
from mink_jetstream.jetstream import JetStream
from mink_jetstream.patience import Patience
from mink_jetstream.place import Place

CUT_OFF = Cluster("node-0", tuple(Peer(f"node-{n}", active=4_000_000_000) for n in (1, 2)))
"""What a leader says that was cut off: of both others it has not heard for seconds."""


def pretend_copies(monkeypatch: pytest.MonkeyPatch, *, alone: bool = False) -> None:
    """Whatever the server says, there are several copies, or one alone."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: alone, lambda place, value: None), raising=False)


def pretend_lost_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that is asked is one that was cut off."""
    info = JetStream.info

    async def alone(jetstream: JetStream, *which: Any, **more: Any) -> Any:
        return msgspec.structs.replace(await info(jetstream, *which, **more), cluster=CUT_OFF)

    monkeypatch.setattr(JetStream, "info", alone)


def end_all_patience(monkeypatch: pytest.MonkeyPatch) -> list[Patience]:
    """The time of every call is over at once; tells whose was asked for."""
    asked: list[Patience] = []

    async def never(patience: Patience) -> bool:
        asked.append(patience)
        return False

    monkeypatch.setattr(Patience, "pause", never)
    return asked


def pause_once(monkeypatch: pytest.MonkeyPatch) -> list[Patience]:
    """The time of every call is over after one pause, which takes none; tells who has made it."""
    paused: list[Patience] = []

    async def once(patience: Patience) -> bool:
        if patience in paused:
            return False
        paused.append(patience)
        return True

    monkeypatch.setattr(Patience, "pause", once)
    return paused
