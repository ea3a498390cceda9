"""PRIV-05: what each privacy operation does to the stores around the log, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal
from mink_core import Capability, ExpectedVersion, NewEvent, OutboxMessage, Saga, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance_tests.lab import Lab

PRIVACY = Capability.PRIVACY
_STREAMS = ("kept-1", "soft-1", "tomb-1", "redacted-1", "purged-1")
"""One for each operation, and one that none is done to."""


@check("PRIV-05", needs=[PRIVACY, Capability.SNAPSHOTS])
def snapshots_follow_privacy_operations(lab: Lab) -> None:
    """A soft delete and a purge delete a stream's snapshots, a redaction those from its version on."""
    store: Any = lab.open()
    for name in _filled(lab, store):
        for version in (1, 3):
            store.snapshots.save(name, version, {"v": version}, keep=2)
    _operate(store)
    kept = {name: _versions(store, name) for name in _STREAMS}
    equal(kept, _expected([1, 3], soft=[], redacted=[1], purged=[]), "the versions of the snapshots that are left")
    newest = {name: max(versions) for name, versions in kept.items() if versions}
    equal({it.stream_id: it.version for it in store.snapshots.list()}, newest, "the newest ones, as they are listed")


@check("PRIV-05", "PRIV-01", "PRIV-04", needs=[PRIVACY, Capability.SNAPSHOTS])
def states_of_what_was_erased_are_not_saved(lab: Lab) -> None:
    """A state that may have been read before a soft delete, a redaction or a purge is not saved after it; one with a later event is."""
    store: Any = lab.open()
    for name in _filled(lab, store):
        store.privacy.redact(name, 3, by="kit")
        store.append(name, lab.events(1), expected_version=3)
    _operate(store)
    told: dict[str, list[int]] = {}
    for name in _STREAMS:
        told[name] = [it for it in (1, 2, 3, 4) if store.snapshots.save(name, it, {"v": it}, keep=4) is True]
    kept = {name: sorted({it.version for it in _loaded(store, name)}) for name in _STREAMS}
    saved = _expected([1, 2, 4], soft=[], redacted=[1], purged=[])
    equal(told, saved, "the versions whose snapshots were said to be saved")
    equal(kept, saved, "the versions of the snapshots that are there")
    for name in ("soft-1", "redacted-1", "purged-1"):
        store.append(name, lab.events(1), expected_version=ExpectedVersion.ANY)
        store.snapshots.save(name, 5, {"v": 5})
        found = store.snapshots.load(name)
        equal(found and found.version, 5, "the version of the snapshot of a state with a later event")


def _loaded(store: Any, name: str) -> list[Any]:
    found = [store.snapshots.load(name, at_version=at) for at in (1, 2, 3, 4)]
    return [one for one in found if one is not None]


def _versions(store: Any, name: str) -> list[int]:
    found = [store.snapshots.load(name, at_version=at) for at in (1, 3)]
    return sorted({one.version for one in found if one is not None})


@check("PRIV-05", needs=[PRIVACY, Capability.OUTBOX])
def messages_follow_privacy_operations(lab: Lab) -> None:
    """A redaction deletes its event's messages, a purge those of what it removes, done ones and open ones, in whatever stream."""
    store: Any = lab.open()

    def messages(n: int) -> list[OutboxMessage]:
        return [OutboxMessage("d", {"n": n, "done": done}) for done in (True, False)]

    for name in _STREAMS:
        for n in (1, 2, 3):
            store.append(name, [NewEvent("Made", n)], expected_version=n - 1, outbox=messages(n))
    first = next(iter(store.read_stream("purged-1")))
    elsewhere = OutboxMessage("d", {"n": 4, "done": True}, stream_id="elsewhere-1", event_id=first.event_id)
    store.outbox.add([elsewhere, OutboxMessage("d", {"n": 5, "done": True}, stream_id="purged-1")])
    claimed = store.outbox.claim("w")
    store.outbox.settle([Verdict(it, untried=not it.payload["done"]) for it in claimed])
    _operate(store)
    left: dict[str, list[int]] = {name: [] for name in _STREAMS}
    for it in store.outbox.list():
        left[it.stream_id].append(it.payload["n"])
    equal(left, _expected([1, 1, 2, 2, 3, 3], redacted=[1, 1, 3, 3], purged=[3, 3]), "the messages that are left")


@check("PRIV-05", needs=[PRIVACY, Capability.SAGAS])
def sagas_follow_privacy_operations(lab: Lab) -> None:
    """A purge deletes the sagas whose correlation id is the stream's; nothing else touches any."""
    store: Any = lab.open()
    for name in _filled(lab, store):
        store.sagas.save(Saga(f"saga-{name}", "T", {"of": name}, correlation_id=name), expected_version=0)
    _operate(store)
    left = {name: [it.saga_id for it in store.sagas.find(correlation_id=name)] for name in _STREAMS}
    equal(left, {name: [] if name == "purged-1" else [f"saga-{name}"] for name in _STREAMS}, "the sagas that are left")


@check("PRIV-05", needs=[PRIVACY, Capability.IDEMPOTENCY])
def keys_follow_privacy_operations(lab: Lab) -> None:
    """A redaction and a purge empty response and metadata of the stream's keys, which stay, so that no work is done twice."""
    store: Any = lab.open()
    for name in _filled(lab, store):
        for what in ("done", "open"):
            key = store.idempotency.reserve(f"{what}-{name}", stream_id=name, metadata={"m": 1})
            if what == "done":
                store.idempotency.complete(key, {"r": 1})
    _operate(store)
    found: dict[str, list[Any]] = {}
    for name in _STREAMS:
        told = [store.idempotency.get(f"{what}-{name}") for what in ("done", "open")]
        found[name] = [(it.completed, it.response, it.metadata) for it in told]
    whole: list[Any] = [(True, {"r": 1}, {"m": 1}), (False, None, {"m": 1})]
    empty: list[Any] = [(True, None, {}), (False, None, {})]
    equal(found, _expected(whole, redacted=empty, purged=empty), "what is under the keys")


@check("PRIV-05", needs=[PRIVACY, Capability.DURABLE_SUBSCRIPTIONS])
def parked_events_follow_privacy_operations(lab: Lab) -> None:
    """A redaction empties the error of its parked event, a purge deletes those of the events that it removes."""
    store: Any = lab.open()
    for name in _filled(lab, store):
        for event in list(store.read_stream(name))[1:]:
            store.parked.park("s", event, attempts=1, error="name: Ann")
    _operate(store)
    left: dict[str, list[tuple[int, bool]]] = {name: [] for name in _STREAMS}
    for it in store.parked.list("s"):
        left[it.stream_id].append((it.version, "Ann" in it.error))
    whole = [(2, True), (3, True)]
    equal(
        left,
        _expected(whole, redacted=[(2, False), (3, True)], purged=[(3, True)]),
        "the parked events that are left, and whether they tell the error",
    )


def _filled(lab: Lab, store: Any) -> Iterable[str]:
    for name in _STREAMS:
        store.append(name, lab.events(3), expected_version=0)
    return _STREAMS


def _operate(store: Any) -> None:
    """Delete, close, redact version 2 and purge up to version 2: one operation a stream."""
    operations: list[Callable[[], object]] = [
        lambda: store.privacy.soft_delete("soft-1", by="kit"),
        lambda: store.privacy.tombstone("tomb-1", by="kit"),
        lambda: store.privacy.redact("redacted-1", 2, by="kit"),
        lambda: store.privacy.purge("purged-1", up_to_version=2, by="kit"),
    ]
    for operation in operations:
        operation()


def _expected(untouched: Any, **touched: Any) -> dict[str, Any]:
    """What is expected of each stream, where the operation on it does something."""
    return {name: touched.get(name.removesuffix("-1"), untouched) for name in _STREAMS}
