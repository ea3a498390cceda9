"""Where the keys of persons are kept, and how one is erased."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from mink_core.errors import SubjectErasedError
from mink_core.forks import watch

if TYPE_CHECKING:
    from collections.abc import Callable


class SubjectKeys(Protocol):
    """A key per subject: a person, mostly. Called from any thread, and from the event loop of async stores.

    Erasing is for ever: a late or repeated append must not bring the subject back under a new key.
    Keep the keys in another database than the events, or at least out of their backups: a restored
    backup that holds both brings the erased back.
    """

    def get(self, subject: str) -> bytes | None:
        """The subject's key; None where it never had one, and where it was erased."""
        ...

    def add(self, subject: str, key: bytes) -> bytes:
        """Keep `key` as the subject's, unless it has one already. Atomic: all callers get the same key.

        Returns:
            The key that the subject has now.

        Raises:
            SubjectErasedError: The subject was erased.
        """
        ...

    def erase(self, subject: str) -> None:
        """Forget the key for ever, and that there may ever be another."""
        ...


class MemorySubjectKeys:
    """Keys in memory, for tests: what was sealed cannot be read after the process ends."""

    def __init__(self) -> None:
        """Start with no key."""
        self._lock = threading.Lock()
        self._keys: dict[str, bytes | None] = {}
        watch(self._is_forked)

    def _is_forked(self) -> None:
        self._lock = threading.Lock()  # another thread may have had it, which is not in this process

    def get(self, subject: str) -> bytes | None:
        """See `SubjectKeys.get`."""
        return self._keys.get(subject)

    def add(self, subject: str, key: bytes) -> bytes:
        """See `SubjectKeys.add`."""
        with self._lock:
            kept = self._keys.setdefault(subject, key)
        if kept is None:
            raise SubjectErasedError(subject)
        return kept

    def erase(self, subject: str) -> None:
        """See `SubjectKeys.erase`."""
        with self._lock:
            self._keys[subject] = None


class CachedSubjectKeys:
    """Keys of another place, remembered in this process for a while.

    An erasure in another process is noticed after `seconds`; one through this object at once.
    """

    def __init__(
        self,
        keys: SubjectKeys,
        *,
        seconds: float = 60,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember keys of `keys`.

        Args:
            keys: Where the keys are.
            seconds: For how long a key is remembered; that there is none is not remembered.
            most: Keys remembered at most; the one that was added first goes first.
            clock: Seconds that only grow.
        """
        self._keys = keys
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._erasures = 0
        watch(self._is_forked)

    def _is_forked(self) -> None:
        self._lock = threading.Lock()  # as above

    def get(self, subject: str) -> bytes | None:
        """See `SubjectKeys.get`."""
        known = self._known.get(subject)
        if known is not None and self._clock() < known[1]:
            return known[0]
        before = self._erasures
        key = self._keys.get(subject)
        self._remember(subject, key, before)
        return key

    def add(self, subject: str, key: bytes) -> bytes:
        """See `SubjectKeys.add`."""
        before = self._erasures
        key = self._keys.add(subject, key)
        self._remember(subject, key, before)
        return key

    def erase(self, subject: str) -> None:
        """See `SubjectKeys.erase`."""
        self._keys.erase(subject)
        with self._lock:
            self._erasures += 1
            self._known.pop(subject, None)

    def _remember(self, subject: str, key: bytes | None, erasures: int) -> None:
        with self._lock:
            self._known.pop(subject, None)
            # A key that was fetched while an erasure ran may be the erased one.
            if key is None or erasures != self._erasures:
                return
            self._known[subject] = (key, self._clock() + self._seconds)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
