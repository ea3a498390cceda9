"""LIFE: opening, initializing, closing."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.level import Level
from conformance_tests.looking import nothing_stored, versions
from mink_core import Capability, ExpectedVersion, StoreClosedError, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab
    from mink_core import Store

ANY = ExpectedVersion.ANY


def _uses(lab: Lab) -> list[tuple[str, Callable[[Store], object]]]:
    uses: list[tuple[str, Callable[[Store], object]]] = [
        ("append", lambda store: store.append("a-1", lab.events(1), expected_version=ANY)),
        ("read_stream", lambda store: list(store.read_stream("a-1"))),
        ("read_all", lambda store: list(store.read_all())),
        ("poll", lambda store: store.poll(0)),
        ("stream_info", lambda store: store.stream_info("a-1")),
        ("streams", lambda store: list(store.streams())),
        ("head_position", lambda store: store.head_position()),
        ("update", lambda store: store.update("a-1", lambda _: lab.events(1))),
        ("initialize", lambda store: store.initialize()),
        ("ping", lambda store: store.ping()),
        ("identity", lambda store: store.identity()),
        ("feed_status", lambda store: store.feed_status()),
        ("check", lambda store: store.check()),
        ("entering", lambda store: store.__enter__()),
    ]
    if Capability.APPEND_BATCH in lab.capabilities:
        uses.append(("append_batch", lambda store: store.append_batch([StreamAppend("a-1", lab.events(1), ANY)])))
    if Capability.SUBSCRIBE in lab.capabilities:
        uses.append(("subscribe", lambda store: store.subscribe()))
    if Capability.TRANSACTIONS in lab.capabilities:
        uses.append(("transaction", lambda store: store.transaction().__enter__()))
    return uses + _sub_store_uses(lab.capabilities)


def _sub_store_uses(capabilities: frozenset[Capability]) -> list[tuple[str, Callable[[Store], object]]]:
    uses: list[tuple[Capability, str, Callable[[Store], object]]] = [
        (Capability.CHECKPOINTS, "checkpoints.load", lambda store: store.checkpoints.load("c")),
        (Capability.SNAPSHOTS, "snapshots.load", lambda store: store.snapshots.load("a-1")),
        (Capability.OUTBOX, "outbox.list", lambda store: store.outbox.list()),
        (Capability.OUTBOX, "outbox.claim", lambda store: store.outbox.claim("w")),
        (Capability.IDEMPOTENCY, "idempotency.get", lambda store: store.idempotency.get("k")),
        (Capability.SAGAS, "sagas.load", lambda store: store.sagas.load("s")),
        (Capability.DURABLE_SUBSCRIPTIONS, "subscriptions.list", lambda store: store.subscriptions.list()),
        (Capability.DURABLE_SUBSCRIPTIONS, "parked.list", lambda store: store.parked.list()),
    ]
    return [(name, use) for needed, name, use in uses if needed in capabilities]


@check("LIFE-01")
def a_closed_store_refuses_every_use(lab: Lab) -> None:
    """After close(), and after its context, every method raises StoreClosedError and does nothing; close() may repeat."""
    witness = lab.open()
    witness.append("a-1", lab.events(3), expected_version=0)
    by_close, by_context = lab.open(), lab.unopened()
    by_close.close()
    with by_context as entered:
        entered.initialize()
        equal(versions(entered, "a-1"), [1, 2, 3], "what it reads while it is open")
    with nothing_stored(witness, "uses of closed stores"):
        for store in (by_close, by_context):
            for name, use in _uses(lab):
                with raises(StoreClosedError, f"{name} of a closed store"):
                    use(store)
            store.close()
            true(
                isinstance(store.capabilities, frozenset), "the capabilities of a closed store", seen=store.capabilities
            )
    witness.append("a-1", lab.events(1), expected_version=3)


@check("LIFE-01")
def readers_of_a_closed_store_end(lab: Lab) -> None:
    """A reader that was begun before its store was closed raises StoreClosedError when it needs the store again."""
    store, other = lab.open(), lab.open()
    for _ in range(6):
        store.append("a-1", lab.events(1000), expected_version=ANY)
    readers: list[Any] = [other.read_stream("a-1"), other.read_all(), other.read_stream("a-1"), other.read_all()]
    for reader in readers[:2]:
        equal(next(reader).version, 1, "a reader's first event")
    other.close()
    for reader in readers:
        with raises(StoreClosedError, "a reader whose store was closed"):
            list(reader)
    equal(store.stream_info("a-1").version, 6000, "the store's version by another handle")


@check("LIFE-01", "LIFE-02")
def events_outlive_the_handle(lab: Lab) -> None:
    """What one handle stored is there for the next one, which goes on with its versions and positions."""
    first = lab.open()
    with lab.unopened() as store:
        store.initialize()
        result = store.append("a-1", lab.events(2), expected_version=0)
    with lab.unopened() as store:
        store.initialize()
        equal(versions(store, "a-1"), [1, 2], "what the next handle reads")
        after = store.append("a-1", lab.events(1), expected_version=2)
        true(
            after.first_position > result.last_position,
            "the next position",
            expected=f"above {result.last_position}",
            seen=after,
        )
    equal(versions(first, "a-1"), [1, 2, 3], "what an older handle reads")


@check("LIFE-02")
def initialize_is_idempotent(lab: Lab) -> None:
    """initialize() again, by this handle and by others, changes nothing; ping() answers."""
    store = lab.open()
    store.append("a-1", lab.events(2), expected_version=0)
    with nothing_stored(store, "initialize() again"):
        store.initialize()
        lab.open().initialize()
        store.initialize()
        store.ping()
        equal(store.check(), [], "what check() finds")
    equal(store.append("a-1", lab.events(1), expected_version=2).last_version, 3, "the version afterwards")


@check("LIFE-02")
def many_initialize_at_once(lab: Lab) -> None:
    """Eight handles that initialize a fresh namespace at once all succeed, and share one store."""
    for _ in range(3):
        namespace = lab.namespace()
        handles = [lab.unopened(namespace) for _ in range(8)]

        def start(store: Store) -> str:
            with store:
                store.initialize()
                store.append("a-1", lab.events(1), expected_version=ANY)
                return repr(store.identity())

        outcomes = lab.together([partial(start, store) for store in handles])
        for outcome in outcomes:
            true(isinstance(outcome, str), "initialize() at once with others", expected="it works", seen=repr(outcome))
        equal(len(set(outcomes)), 1, "how many identities the handles saw")
        equal(versions(lab.open(namespace), "a-1"), list(range(1, 9)), "the versions appended at once")


@check("LIFE-02", level=Level.STANDARD)
def many_processes_initialize_at_once(lab: Lab) -> None:
    """Three processes that initialize a fresh namespace at once all succeed, where the target can be named to them."""
    namespace = lab.namespace()
    spec = lab.target.reopening(namespace)
    if spec is None:
        return
    command = [sys.executable, "-m", "conformance_tests.initializing", spec, namespace]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603 -- ourselves
    for process in processes:
        _, said = process.communicate(timeout=60)
        equal(process.returncode, 0, f"how a process that initializes ended\n{said}")
    store = lab.open(namespace)
    store.append("a-1", lab.events(1), expected_version=ANY)
