"""How the workers of a subscription share its partitions, for stores that work it out in this process."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from mink_core.errors import UsageError
from mink_core.leases import Lease
from mink_core.subscriptions import Holding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Leased(Protocol):
    """Who has a partition, with which token."""

    @property
    def owner(self) -> str | None:
        """The worker; None where nobody has it."""
        ...

    @property
    def token(self) -> int:
        """What fences everybody who had it before."""
        ...


class Beat:
    """A worker's call for its partitions: who lives, and what it may take.

    Fair shares differ by one at most; who holds most has the larger ones, so that least moves.
    """

    __slots__ = ("_name", "_now", "_owner", "_share", "free", "missing", "workers")

    def __init__(  # noqa: PLR0913 -- the arguments of `hold`, and what it is worked out from
        self,
        name: str,
        owner: str,
        seconds: float,
        *,
        workers: Mapping[str, datetime],
        leases: Mapping[int, Leased],
        now: datetime,
    ) -> None:
        """Have the worker live for so many seconds from now.

        Args:
            name: The subscription.
            owner: Who calls.
            seconds: Until when it calls again, or is dead.
            workers: Those that are known, each with the time until which it lives.
            leases: All partitions.
            now: The store's time.
        """
        self._name = name
        self._owner = owner
        self._now = now
        self.workers = {who: until for who, until in workers.items() if until > now}
        """Those that live, the one that calls among them."""
        self.workers[owner] = now + timedelta(seconds=seconds)
        self.free = [index for index, row in leases.items() if row.owner not in self.workers]
        """The partitions that nobody who lives has."""
        counts = Counter(row.owner for row in leases.values())
        ranked = sorted(self.workers, key=lambda who: (-counts[who], who))
        each, larger = divmod(len(leases), len(ranked))
        self._share = each + (ranked.index(owner) < larger)
        self.missing = max(self._share - counts[owner], 0)
        """How many partitions it has less than its share."""

    def holding(self, leases: Mapping[int, Leased], *, paused: bool) -> Holding:
        """What the worker has, once it has taken what it may."""
        held = [index for index, row in leases.items() if row.owner == self._owner]
        others = [until for who, until in self.workers.items() if who != self._owner]
        return Holding(
            tuple(Lease(self._name, index, leases[index].token) for index in held),
            frozenset(held[self._share :]),
            paused,
            (min(others) - self._now).total_seconds() if others else None,
        )


def check_number(name: str, actual: int, asked: int) -> None:
    """Refuse another number of partitions than a subscription has.

    Raises:
        UsageError: It has another one.
    """
    if actual != asked:
        msg = (
            f"subscription {name!r} has {actual} partitions, not {asked}: each has its checkpoint, so the number stays "
            "until the subscription is reset; nothing was changed"
        )
        raise UsageError(msg)
