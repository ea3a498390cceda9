"""Where a new subscription begins, while the history it reads is put in the place of another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from mink_core import StoreIdentity
from mink_core.leases import Lease
from mink_core.runtime.progress import Progress
from mink_core.runtime.settings import SubscriptionSettings
from mink_core.runtime.steps import run_steps

OLD, NEW = StoreIdentity(UUID(int=1), 1), StoreIdentity(UUID(int=1), 2)


class Restored:
    """A store whose backup is put in place between any two calls: `asked` of them were made before."""

    def __init__(self, asked: int) -> None:
        self.left = asked
        self.saved: list[tuple[int, StoreIdentity]] = []
        self.checkpoints = SimpleNamespace(load=lambda _: None, save=self._save)

    def _is_old(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def head_position(self) -> int:
        return 9 if self._is_old() else 5

    def identity(self) -> StoreIdentity:
        return OLD if self._is_old() else NEW

    def _save(self, name: str, position: int, *, identity: StoreIdentity, **_: Any) -> None:
        self.saved.append((position, identity))


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_position_is_never_kept_under_the_identity_of_a_later_history(asked: int) -> None:
    store = Restored(asked)
    settings = SubscriptionSettings(name="s", handler=print, transactional=False, after_position=None)
    run_steps(Progress(store, settings, Lease("s", 0, 1)).load())
    # (9, NEW) would read over what the restored history stores up to 9.
    assert store.saved in ([(9, OLD)], [(5, OLD)], [(5, NEW)])
