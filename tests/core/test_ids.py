"""Ids made by us are what `uuid.uuid4` makes, in every way one can look at them."""

from __future__ import annotations

import copy
import os
import pickle
from uuid import RFC_4122, UUID, uuid4

import pytest

from mink_core.ids import random_id


@pytest.mark.parametrize("random", [b"\0" * 16, b"\xff" * 16, bytes(range(16)), b"\x80" + b"\0" * 15])
def test_the_same_random_bytes_give_the_same_id(random: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: random[:size])
    monkeypatch.setattr("mink_core.ids._urandom", os.urandom)
    assert random_id() == uuid4() == UUID(bytes=random, version=4)


def test_an_id_is_a_uuid_like_any_other() -> None:
    made, other = random_id(), uuid4()
    assert type(made) is UUID
    assert (made.version, made.variant, made.is_safe) == (4, RFC_4122, other.is_safe)
    for again in (UUID(str(made)), UUID(made.hex), pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert again == made
        assert hash(again) == hash(made)
        assert repr(again) == repr(made)
    with pytest.raises(TypeError):
        made.int = 5  # type: ignore[misc]


def test_ids_differ() -> None:
    assert len({random_id() for _ in range(10_000)}) == 10_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_makes_ids_of_its_own() -> None:
    random_id()
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, b"".join(random_id().bytes for _ in range(10)))
        os._exit(0)
    mine = {random_id().bytes for _ in range(10)}
    os.waitpid(child, 0)
    theirs = os.read(reading, 160)
    os.close(reading)
    os.close(writing)
    assert len(mine | {theirs[n : n + 16] for n in range(0, 160, 16)}) == 20
