"""What a check is given: stores, random numbers, a budget, counters."""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from uuid import UUID, uuid4

from conformance_tests.failure import tell
from conformance_tests.hooks import Hooks, offered_by
from conformance_tests.level import Level
from conformance_tests.portal import Portal
from conformance_tests.shaped import Shaped
from conformance_tests.target import is_async_store
from mink_core import Capability, NewEvent, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType

    from conformance_tests.target import Target
    from mink_core import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """How much a check that draws may do; an example does not look at it."""

    examples: int
    """Programs of the state machine."""
    steps: int
    """Calls of one program."""
    histories: int
    """Concurrent histories."""
    seconds: float
    """Where a check can stop early, after so many."""
    shrink: bool = True
    """Whether a failure is made smaller; without it, the first one found is told."""


BUDGETS = {
    Level.SMOKE: Budget(examples=30, steps=30, histories=30, seconds=0.7),
    Level.STANDARD: Budget(examples=120, steps=40, histories=200, seconds=10),
    Level.DEEP: Budget(examples=1000, steps=60, histories=500, seconds=120),
}


class Lab:
    """One check's workplace. What is opened through it is closed, and its namespaces dropped, at its end."""

    def __init__(
        self,
        target: Target,
        *,
        level: Level = Level.STANDARD,
        seed: int = 0,
        budget: Budget | None = None,
        replay: Any = None,
    ) -> None:
        """Open nothing yet.

        Args:
            target: What is tested; entered already.
            level: How much is run.
            seed: Of `random`.
            budget: The level's, unless given.
            replay: What a failure gave as `CheckFailedError.replay`: do exactly this again.
        """
        self.target = target
        self.level = level
        self.budget = budget or BUDGETS[level]
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 -- repeatable, not secret
        self.replay = replay
        self.counters: Counter[str] = Counter()
        self._stack = ExitStack()
        self._portal: Portal | None = None
        self._namespaces = 0
        self._run = f"kit_{uuid4().hex[:12]}"
        self._default: str | None = None
        self._facts: tuple[frozenset[Capability], bool] | None = None
        self._guard = threading.Lock()

    # Opening

    def namespace(self) -> str:
        """A namespace that nothing was written to."""
        with self._guard:
            self._namespaces += 1
            name = f"{self._run}_{self._namespaces}"
        self._stack.callback(self.target.drop, name)
        return name

    @property
    def here(self) -> str:
        """The check's own namespace, where none is named."""
        if self._default is None:
            self._default = self.namespace()
        return self._default

    def open(self, namespace: str | None = None) -> Store:
        """A store that is initialized, in sync shape whatever the target is.

        Two calls with one namespace are two handles on the same data.
        """
        store = self.unopened(namespace)
        self._stack.enter_context(store)
        store.initialize()
        return store

    def unopened(self, namespace: str | None = None) -> Store:
        """A store in sync shape that is neither entered nor initialized; whoever enters it closes it."""
        native = self.target.open(namespace or self.here)
        if is_async_store(native):
            return cast("Store", Shaped(native, self.portal))
        return cast("Store", native)

    def open_native(self, namespace: str | None = None) -> Any:
        """The target's own store, entered and initialized: for async work on `portal`'s loop, or for threads."""
        native = self.target.open(namespace or self.here)
        if not is_async_store(native):
            self._stack.enter_context(native)
            native.initialize()
            return native
        self._stack.enter_context(Shaped(native, self.portal))
        self.portal.run(native.initialize())
        return native

    @property
    def portal(self) -> Portal:
        """The event loop that async stores live on, in a thread of its own."""
        with self._guard:
            if self._portal is None:
                self._portal = Portal()
            return self._portal

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the portal's loop and wait for it."""
        return self.portal.run(work)

    def child(self) -> Lab:
        """A workplace of its own, closed by whoever asked for it: for one of many programs of a check."""
        child = Lab(self.target, level=self.level, seed=self.random.getrandbits(32), budget=self.budget)
        child._facts = self._look()
        return child

    # What the target is

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store declares."""
        return self._look()[0]

    @property
    def is_async(self) -> bool:
        """Whether the target opens async stores."""
        return self._look()[1]

    def _look(self) -> tuple[frozenset[Capability], bool]:
        if self._facts is None:
            store = self.target.open(self.here)
            declared = store.capabilities
            if not isinstance(declared, (set, frozenset)) or not all(isinstance(it, Capability) for it in declared):
                msg = f"the capabilities of {self.target.name} are {tell(declared)}, and no frozenset of Capability"
                raise UsageError(msg)
            self._facts = frozenset(declared), is_async_store(store)
            # Never entered, but it may hold something.
            if self._facts[1]:
                self.portal.run(store.close())
            else:
                store.close()
        return self._facts

    def hooks(self, namespace: str | None = None) -> Hooks:
        """What the adapter offers for holding commits, breaking and lending connections in a namespace."""
        store = self.open_native(namespace)
        return Hooks(offered_by(store), store, self._stack)

    # Doing

    def together(self, calls: Sequence[Callable[[], object]]) -> list[object]:
        """Run the calls at once, in a thread each, released by a barrier; an exception is a result."""
        results: list[object] = [None] * len(calls)
        barrier = threading.Barrier(len(calls))

        def one(index: int) -> None:
            barrier.wait()
            try:
                results[index] = calls[index]()
            except Exception as error:  # noqa: BLE001 -- the result
                results[index] = error

        threads = [threading.Thread(target=partial(one, index), daemon=True) for index in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def count(self, name: str, by: int = 1) -> None:
        """Note that something happened; see `requires` of `check`. From any thread."""
        with self._guard:
            self.counters[name] += by

    # Making

    def uuid(self) -> UUID:
        """An id, the same for the same seed."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def event(self, data: Any = None, *, event_type: str = "Happened", metadata: Any = None) -> NewEvent:
        """An event with an id of its own."""
        return NewEvent(event_type, data, metadata, self.uuid())

    def events(self, number: int) -> list[NewEvent]:
        """So many events, each with data of its own."""
        return [self.event({"number": number + 1}) for number in range(number)]

    # Ending

    def close(self) -> None:
        """Close what was opened, the newest first, and drop the namespaces."""
        try:
            self._stack.close()
        finally:
            if self._portal is not None:
                self._portal.close()

    def __enter__(self) -> Self:
        """The lab itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
