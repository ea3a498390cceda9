"""Ids made by us are what `uuid.uuid4` makes, in every way one can look at them."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
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


FORKED = """
import os
from mink_core.ids import random_id
random_id()
if child := os.fork():
    os.waitpid(child, 0)
print(*(random_id().hex for _ in range(10)), flush=True)
"""


def test_a_forked_process_makes_ids_of_its_own() -> None:
    """In a process of its own: one with threads, as that of the tests, should not be forked."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == len(done.stdout.split()) == 20
