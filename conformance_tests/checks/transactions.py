"""TX-01 and 03: calls that are committed together or not at all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import nothing_stored, versions
from mink_core import (
    Capability,
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    MinkError,
    NewEvent,
    StoreClosedError,
    StreamAppend,
    StreamNotFoundError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab
    from mink_core import Transaction

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
TRANSACTIONS = {Capability.TRANSACTIONS}


class UndoError(Exception):
    """Rolls a transaction back."""


@check("TX-01", "APPEND-10", needs=TRANSACTIONS)
def a_commit_stores_all(lab: Lab) -> None:
    """The appends of a transaction are seen by nobody before its commit, and by everybody after it."""
    store, other = lab.open(), lab.open()
    store.append("a-1", lab.events(1), expected_version=0)
    with store.transaction() as transaction:
        results = [
            transaction.append("a-1", lab.events(2), expected_version=1),
            transaction.append("b-1", lab.events(1), expected_version=NO_STREAM),
            transaction.append("a-1", lab.events(1), expected_version=3),
            transaction.append("b-1", lab.events(1), expected_version=STREAM_EXISTS),
            transaction.append("c-1", lab.events(1), expected_version=ANY),
        ]
        equal([it.first_version for it in results], [2, 1, 4, 2, 1], "the first versions in the transaction")
        equal(versions(transaction, "a-1"), [1, 2, 3, 4], "what it reads of its own")
        equal(transaction.stream_info("b-1").version, 2, "stream_info of its own")
        for handle in (store, other):
            equal(versions(handle, "a-1"), [1], "what others read before the commit")
            equal([it.stream_id for it in handle.streams()], ["a-1"], "the streams others list before the commit")
            with raises(StreamNotFoundError, "stream_info by others before the commit"):
                handle.stream_info("b-1")
    for handle in (store, other):
        equal(versions(handle, "a-1"), [1, 2, 3, 4], "what is read after the commit")
        equal(
            [(it.stream_id, it.version) for it in handle.streams()], [("a-1", 4), ("b-1", 2), ("c-1", 1)], "the streams"
        )
        feed = list(handle.read_all(after_position=results[0].first_position - 1))
        equal([it.event_id for it in feed], [id_ for it in results for id_ in it.event_ids], "the feed, as appended")
        places = [(it.global_position, it.version) for it in feed]
        equal(
            places[:2], [(results[0].first_position, 2), (results[0].last_position, 3)], "where a result said they are"
        )


@check("TX-01", "APPEND-01", needs=TRANSACTIONS)
def an_error_stores_nothing(lab: Lab) -> None:
    """An error that leaves the block passes through as it is, and nothing of the transaction is stored."""
    store = lab.open()
    store.append("a-1", lab.events(1), expected_version=0)
    for error in (UndoError("undone"), KeyError("k"), UsageError("mine"), ConcurrencyError("a-1", 1, 2)):
        with nothing_stored(store, "a transaction that ended by an error"):
            caught: BaseException | None = None
            try:
                with store.transaction() as transaction:
                    transaction.append("a-1", lab.events(2), expected_version=1)
                    transaction.append("b-1", lab.events(1), expected_version=0)
                    raise error  # noqa: TRY301 -- what leaves the block is what is looked at
            except Exception as seen:  # noqa: BLE001 -- compared at once
                caught = seen
            true(caught is error, "the error that leaves the block", expected=repr(error), seen=repr(caught))
    store.append("b-1", lab.events(1), expected_version=0)
    store.append("a-1", lab.events(1), expected_version=1)


@check("TX-01", needs=TRANSACTIONS)
def an_empty_transaction_and_a_reading_one(lab: Lab) -> None:
    """A transaction that does nothing, or only reads, is committed and stores nothing."""
    store = lab.open()
    store.append("a-1", lab.events(2), expected_version=0)
    with nothing_stored(store, "transactions that store nothing"):
        with store.transaction():
            pass
        with store.transaction() as transaction:
            equal(versions(transaction, "a-1"), [1, 2], "what it reads")
            equal(len(list(transaction.read_all())), 2, "the feed in it")
            equal([it.stream_id for it in transaction.streams()], ["a-1"], "the streams in it")
            equal(transaction.head_position(), store.head_position(), "the head in it")


@check("TX-01", "APPEND-11", needs={Capability.TRANSACTIONS, Capability.APPEND_BATCH})
def a_batch_in_a_transaction(lab: Lab) -> None:
    """A batch in a transaction sees its appends, is committed with them, and is undone with them."""
    store = lab.open()
    items = [StreamAppend("b-1", lab.events(1), 0), StreamAppend("a-1", lab.events(2), 1)]
    with nothing_stored(store, "a batch rolled back"), suppress(UndoError), store.transaction() as transaction:
        transaction.append("a-1", lab.events(1), expected_version=0)
        transaction.append_batch(items)
        raise UndoError
    with store.transaction() as transaction:
        transaction.append("a-1", lab.events(1), expected_version=0)
        equal([it.last_version for it in transaction.append_batch(items)], [1, 3], "the last versions of the batch")
    equal((versions(store, "a-1"), versions(store, "b-1")), ([1, 2, 3], [1]), "the versions after the commit")


def _refusals(lab: Lab, known: NewEvent) -> list[tuple[type[MinkError], str, Callable[[Transaction], object]]]:
    changed = NewEvent(known.event_type, "other", None, known.event_id)
    return [
        (ConcurrencyError, "exact", lambda tx: tx.append("a-1", lab.events(2), expected_version=7)),
        (ConcurrencyError, "NO_STREAM", lambda tx: tx.append("a-1", lab.events(1), expected_version=NO_STREAM)),
        (ConcurrencyError, "STREAM_EXISTS", lambda tx: tx.append("z-1", lab.events(1), expected_version=STREAM_EXISTS)),
        (ConcurrencyError, "exact of nothing", lambda tx: tx.append("z-1", lab.events(1), expected_version=3)),
        (DuplicateEventError, "other content", lambda tx: tx.append("a-1", [changed], expected_version=0)),
        (UsageError, "no events", lambda tx: tx.append("a-1", [], expected_version=ANY)),
        (UsageError, "no JSON", lambda tx: tx.append("a-1", [lab.event(object())], expected_version=ANY)),
        (UsageError, "a negative version", lambda tx: tx.append("a-1", lab.events(1), expected_version=-1)),
        (StreamNotFoundError, "stream_info", lambda tx: tx.stream_info("z-1")),
    ]


@check("TX-03", "APPEND-03", needs=TRANSACTIONS)
def a_refused_append_leaves_the_transaction_usable(lab: Lab) -> None:
    """After each kind of refusal the transaction goes on, and commits what else was done, with nothing of that call."""
    store = lab.open()
    known = lab.event(1)
    store.append("a-1", [known], expected_version=0)
    for number, (kind, what, call) in enumerate(_refusals(lab, known)):
        with store.transaction() as transaction:
            transaction.append(f"b-{number}", lab.events(1), expected_version=0)
            with raises(kind, f"{what} in a transaction"):
                call(transaction)
            equal(versions(transaction, "a-1"), [1], f"the stream in the transaction after {what}")
            transaction.append(f"b-{number}", lab.events(1), expected_version=1)
        equal(versions(store, f"b-{number}"), [1, 2], f"what was committed around a refusal: {what}")
    with store.transaction() as transaction:
        for kind, what, call in _refusals(lab, known):
            with raises(kind, f"{what}, all in one transaction"):
                call(transaction)
    equal(versions(store, "a-1"), [1], "the stream after all the refusals")
    equal([it.stream_id for it in store.streams(category="z")], [], "streams that refused appends named")


@check("TX-03", "APPEND-11", needs={Capability.TRANSACTIONS, Capability.APPEND_BATCH})
def a_refused_batch_leaves_the_transaction_usable(lab: Lab) -> None:
    """After a refused batch nothing of it is in the transaction, not even of its good items."""
    store = lab.open()
    with store.transaction() as transaction:
        transaction.append("a-1", lab.events(1), expected_version=0)
        for bad in (StreamAppend("a-1", lab.events(1), 5), StreamAppend("z-9", lab.events(1), STREAM_EXISTS)):
            for place in (0, 1, 2):
                items = [StreamAppend("b-1", lab.events(1), 0), StreamAppend("a-1", lab.events(2), 1)]
                items.insert(place, bad)
                with raises(ConcurrencyError, "a batch with a conflict", stream_id=bad.stream_id):
                    transaction.append_batch(items)
                equal(versions(transaction, "a-1"), [1], "a-1 after the refused batch")
                equal([it.stream_id for it in transaction.streams()], ["a-1"], "the streams after the refused batch")
        transaction.append("a-1", lab.events(1), expected_version=1)
    equal([(it.stream_id, it.version) for it in store.streams()], [("a-1", 2)], "what was committed")
    equal(len(list(store.read_all())), 2, "the events in the feed")


@check("TX-01", "LIFE-01", needs=TRANSACTIONS)
def an_ended_transaction_is_closed(lab: Lab) -> None:
    """After its end, by commit or by rollback, a transaction refuses every use with StoreClosedError."""
    store = lab.open()
    store.append("a-1", lab.events(1), expected_version=0)
    with store.transaction() as committed:
        committed.append("a-1", lab.events(1), expected_version=1)
    with suppress(UndoError), store.transaction() as undone:
        undone.append("a-1", lab.events(1), expected_version=2)
        raise UndoError
    uses: tuple[tuple[str, Callable[[Transaction], Any]], ...] = (
        ("append", lambda tx: tx.append("a-1", lab.events(1), expected_version=ANY)),
        ("read_stream", lambda tx: list(tx.read_stream("a-1"))),
        ("read_all", lambda tx: list(tx.read_all())),
        ("poll", lambda tx: tx.poll(0)),
        ("stream_info", lambda tx: tx.stream_info("a-1")),
        ("streams", lambda tx: list(tx.streams())),
        ("head_position", lambda tx: tx.head_position()),
    )
    with nothing_stored(store, "uses of ended transactions"):
        for ended in (committed, undone):
            for name, use in uses:
                with raises(StoreClosedError, f"{name} of an ended transaction"):
                    use(ended)


@check("TX-01", needs={Capability.TRANSACTIONS, Capability.SQL_TRANSACTION})
def the_callers_own_sql_is_part_of_it(lab: Lab) -> None:
    """What the caller executes on the transaction's connection is committed, and undone, with the appends."""
    store = lab.open()
    table = f"kit_{lab.uuid().hex[:16]}"
    insert = f"INSERT INTO {table} (n) VALUES (1)"  # noqa: S608 -- a name made here
    with store.transaction() as transaction:
        transaction.connection.execute(f"CREATE TABLE {table} (n integer PRIMARY KEY)")
        transaction.append("a-1", lab.events(1), expected_version=0)
    try:
        with suppress(UndoError), store.transaction() as transaction:
            transaction.connection.execute(insert)
            transaction.append("a-1", lab.events(1), expected_version=1)
            raise UndoError
        equal(versions(store, "a-1"), [1], "the versions after the rollback")
        with store.transaction() as transaction:
            transaction.append("a-1", lab.events(1), expected_version=1)
            transaction.connection.execute(insert)  # passes only if the first was undone
        failed: list[Exception] = []
        try:
            with store.transaction() as transaction:
                transaction.append("a-1", lab.events(1), expected_version=2)
                transaction.connection.execute(insert)  # fails only if the second was committed
        except Exception as error:  # noqa: BLE001 -- the driver's own kind
            failed.append(error)
        true(
            failed, "a row that the caller's SQL had stored before", expected="a refusal of the second", seen="no error"
        )
        equal(versions(store, "a-1"), [1, 2], "the versions after the caller's SQL failed")
    finally:
        with store.transaction() as transaction:
            transaction.connection.execute(f"DROP TABLE {table}")
