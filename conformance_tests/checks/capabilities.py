"""CAP-01: what is declared works, what is not is refused. One check a capability: none is skipped in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail, true
from conformance_tests.looking import nothing_stored, versions
from conformance_tests.patience import take
from mink_core import Capability, CapabilityNotSupportedError, Direction, EventFilter, ExpectedVersion, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_METADATA, _SINCE, _UNTIL = EventFilter(metadata={"k": 1}), EventFilter(since=_LONG_AGO), EventFilter(until=_LONG_AGO)


@check("CAP-01")
def capabilities_are_declared(lab: Lab) -> None:
    """`capabilities` is a frozenset of Capability, the same on every handle, before and after opening."""
    store, unopened = lab.open(), lab.unopened()
    declared = store.capabilities
    true(isinstance(declared, frozenset), "capabilities", expected="a frozenset", seen=type(declared).__name__)
    true(all(isinstance(it, Capability) for it in declared), "its members", expected="Capability", seen=declared)
    for handle in (unopened, lab.open()):
        equal(handle.capabilities, declared, "the capabilities on another handle")
    with unopened:
        equal(unopened.capabilities, declared, "the capabilities after opening")
    if Capability.SQL_TRANSACTION in declared:
        true(
            Capability.TRANSACTIONS in declared,
            "SQL_TRANSACTION is declared",
            expected="TRANSACTIONS too",
            seen=declared,
        )


def refused_or_working(lab: Lab, capability: Capability, uses: Sequence[tuple[str, Callable[[Any], object]]]) -> None:
    """Expect each use to be refused where the capability is not declared, and to pass where it is.

    Args:
        lab: The check's.
        capability: Which one.
        uses: What to call it, and how to use it; given a store with the stream `order-1` of one event.
    """
    store = lab.open()
    store.append("order-1", lab.events(1), expected_version=0)
    if capability in store.capabilities:
        for _, use in uses:
            use(store)
        return
    with nothing_stored(store, f"uses of {capability.name}, which is not declared"):
        for what, use in uses:
            refused(partial(use, store), capability, f"{what}, without {capability.name}")
    store.append("order-1", lab.events(1), expected_version=1)
    equal(versions(store, "order-1"), [1, 2], "the store goes on after the refusals")


def refused(call: Callable[[], object], capability: Capability, what: str) -> None:
    """Expect CapabilityNotSupportedError that names the capability and the adapter."""
    try:
        call()
    except CapabilityNotSupportedError as error:
        equal(error.capability, capability, f"{what}: the error's capability")
        true(error.adapter and isinstance(error.adapter, str), f"{what}: the error's adapter", seen=repr(error.adapter))
    except Exception as error:  # noqa: BLE001 -- told as what was seen
        fail(what, expected="CapabilityNotSupportedError", seen=repr(error))
    else:
        fail(what, expected="CapabilityNotSupportedError", seen="no error")


@check("CAP-01")
def append_batch_works_or_is_refused(lab: Lab) -> None:
    """APPEND_BATCH: append_batch."""
    items = [StreamAppend("order-1", lab.events(1), 1), StreamAppend("order-2", lab.events(1), 0)]
    refused_or_working(lab, Capability.APPEND_BATCH, [("append_batch", lambda store: store.append_batch(items))])


@check("CAP-01")
def backward_works_or_is_refused(lab: Lab) -> None:
    """BACKWARDS: direction=BACKWARD in read_stream and read_all."""
    refused_or_working(
        lab,
        Capability.BACKWARDS,
        [
            ("read_stream backward", lambda store: list(store.read_stream("order-1", direction=Direction.BACKWARD))),
            ("read_all backward", lambda store: list(store.read_all(direction=Direction.BACKWARD))),
        ],
    )


def _filtered(where: EventFilter, lab: Lab) -> list[tuple[str, Callable[[Any], object]]]:
    uses: list[tuple[str, Callable[[Any], object]]] = [
        (f"poll with {where}", lambda store: store.poll(0, where=where)),
        (f"read_all with {where}", lambda store: list(store.read_all(where=where))),
    ]
    if Capability.SUBSCRIBE in lab.capabilities:
        uses.append((f"subscribe with {where}", lambda store: _step(store.subscribe(where=where), where, store)))
    return uses


def _step(subscription: Any, where: EventFilter, store: Any) -> None:
    """A first step, but not one that would wait for an event that never comes."""
    with subscription:
        if where is _SINCE or Capability.METADATA_FILTER not in store.capabilities:
            take(subscription)


@check("CAP-01")
def metadata_filter_works_or_is_refused(lab: Lab) -> None:
    """METADATA_FILTER: EventFilter.metadata in polls, reads and subscriptions."""
    refused_or_working(lab, Capability.METADATA_FILTER, _filtered(_METADATA, lab))


@check("CAP-01")
def time_filter_works_or_is_refused(lab: Lab) -> None:
    """TIME_FILTER: EventFilter.since and until in polls, reads and subscriptions."""
    refused_or_working(lab, Capability.TIME_FILTER, [*_filtered(_SINCE, lab), *_filtered(_UNTIL, lab)[:2]])


@check("CAP-01")
def subscribe_works_or_is_refused(lab: Lab) -> None:
    """SUBSCRIBE: subscribe."""
    refused_or_working(lab, Capability.SUBSCRIBE, [("subscribe", lambda store: take(store.subscribe()))])


@check("CAP-01")
def transactions_work_or_are_refused(lab: Lab) -> None:
    """TRANSACTIONS: transaction."""

    def use(store: Any) -> None:
        with store.transaction() as transaction:
            transaction.append("order-1", lab.events(1), expected_version=ANY)

    refused_or_working(lab, Capability.TRANSACTIONS, [("transaction", use)])


@check("CAP-01", needs={Capability.TRANSACTIONS})
def own_sql_works_or_is_refused(lab: Lab) -> None:
    """SQL_TRANSACTION: a transaction's connection; its refusal leaves the transaction usable."""
    store = lab.open()
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0)
        if Capability.SQL_TRANSACTION in store.capabilities:
            true(transaction.connection is not None, "the transaction's connection", seen=None)
        else:
            refused(lambda: transaction.connection, Capability.SQL_TRANSACTION, "a transaction's connection")
        transaction.append("order-1", lab.events(1), expected_version=1)
    equal(versions(store, "order-1"), [1, 2], "the versions after the commit")


@check("CAP-01", "APPEND-09")
def unique_event_ids_work_or_are_not_half_there(lab: Lab) -> None:
    """UNIQUE_EVENT_IDS: where it is not declared, a call repeated under ANY or STREAM_EXISTS always writes again."""
    store = lab.open()
    events = lab.events(2)
    first = store.append("order-1", events, expected_version=ANY)
    unique = Capability.UNIQUE_EVENT_IDS in store.capabilities
    for round_, expected in enumerate((ANY, ExpectedVersion.STREAM_EXISTS, ANY), 1):
        again = store.append("order-1", events, expected_version=expected)
        want = first if unique else None
        if want is not None:
            equal(again, want, "a call repeated under ANY, with UNIQUE_EVENT_IDS")
        else:
            equal(again.first_version, 2 * round_ + 1, "the first version of a call repeated without UNIQUE_EVENT_IDS")
    if not unique:
        equal(store.append("order-2", events, expected_version=0).last_version, 2, "the same ids in another stream")
    equal(len(list(store.read_all())), 2 if unique else 10, "how many events are stored")


@check("CAP-01")
def durable_subscriptions_work_or_are_refused(lab: Lab) -> None:
    """DURABLE_SUBSCRIPTIONS: subscription."""
    refused_or_working(
        lab,
        Capability.DURABLE_SUBSCRIPTIONS,
        [("subscription", lambda store: store.subscription("kit", str))],
    )


@check("CAP-01", needs={Capability.DURABLE_SUBSCRIPTIONS})
def partitions_work_or_are_refused(lab: Lab) -> None:
    """PARTITIONS: subscription with more than one."""
    refused_or_working(
        lab,
        Capability.PARTITIONS,
        [("two partitions", lambda store: store.subscription("kit", str, partitions=2))],
    )


def _sub_store(lab: Lab, capability: Capability, name: str) -> None:
    def use(store: Any) -> None:
        true(getattr(store, name) is not None, f"store.{name}", expected="the sub-store", seen=None)

    def use_in_transaction(store: Any) -> None:
        with store.transaction() as transaction:
            getattr(transaction, name)

    uses: list[tuple[str, Callable[[Any], object]]] = [(f"store.{name}", use)]
    if Capability.TRANSACTIONS in lab.capabilities:
        uses.append((f"transaction.{name}", use_in_transaction))
    refused_or_working(lab, capability, uses)


@check("CAP-01")
def snapshots_are_there_or_refused(lab: Lab) -> None:
    """SNAPSHOTS: store.snapshots, and a transaction's."""
    _sub_store(lab, Capability.SNAPSHOTS, "snapshots")


@check("CAP-01")
def checkpoints_are_there_or_refused(lab: Lab) -> None:
    """CHECKPOINTS: store.checkpoints, and a transaction's."""
    _sub_store(lab, Capability.CHECKPOINTS, "checkpoints")


@check("CAP-01")
def outbox_is_there_or_refused(lab: Lab) -> None:
    """OUTBOX: store.outbox, and a transaction's."""
    _sub_store(lab, Capability.OUTBOX, "outbox")


@check("CAP-01")
def idempotency_is_there_or_refused(lab: Lab) -> None:
    """IDEMPOTENCY: store.idempotency, and a transaction's."""
    _sub_store(lab, Capability.IDEMPOTENCY, "idempotency")


@check("CAP-01")
def sagas_are_there_or_refused(lab: Lab) -> None:
    """SAGAS: store.sagas, and a transaction's."""
    _sub_store(lab, Capability.SAGAS, "sagas")
