"""Claims on PostgreSQL: held open by hand, on bent functions, and by their plans (OUTBOX-02 to OUTBOX-04)."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import LeaseLostError, MessageStatus, OutboxMessage, UsageError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_postgres import PostgresEventStore


def ordered(number: int, stream: str = "a-1", **fields: Any) -> OutboxMessage:
    return OutboxMessage("t", number, stream_id=stream, ordered=True, **fields)


def numbers(messages: Any) -> list[int]:
    return [message.payload for message in messages]


def bend(store: PostgresEventStore, function: str, old: str, new: str) -> None:
    """Make a broken twin: without an index, or with another text in a function."""
    with store.transaction() as tx:
        if function.startswith("idx_"):
            tx.connection.execute(f"DROP INDEX {store._context.sql.quoted}.{function}")
            return
        [(text,)] = tx.connection.execute(
            "SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace "
            "WHERE p.proname = %s AND n.nspname = %s",
            (function, store._context.sql.schema),
        ).fetchall()
        assert old in text
        tx.connection.execute(text.replace(old, new))


def a_late_worker_is_refused(store: PostgresEventStore) -> None:
    store.outbox.add([OutboxMessage("t", 1), OutboxMessage("t", 2)])
    late, later = store.outbox.claim("late", lease=0.05)
    time.sleep(0.1)
    with pytest.raises(LeaseLostError):
        store.outbox.complete(late)
    [again] = store.outbox.claim("next")
    assert again.message_id == late.message_id
    assert store.outbox.settle([Verdict(late), Verdict(later, "late")]) == [late, later]
    store.outbox.complete(again)


def a_killer_is_given_up(store: PostgresEventStore) -> None:
    store.outbox.add(OutboxMessage("t", 1, max_attempts=2))
    for _ in range(3):
        store.outbox.claim("dies", lease=0.02)
        time.sleep(0.03)
    assert numbers(store.outbox.dead_letters()) == [1]


def nobody_is_left_waiting(store: PostgresEventStore) -> None:
    """A claim finds the second message behind the first, and is held open while the first is finished."""
    store.outbox.add([ordered(1), ordered(2)])
    [first] = store.outbox.claim("a", limit=1)
    finisher = threading.Thread(target=store.outbox.complete, args=(first,))
    with store.transaction() as tx:
        assert tx.outbox.claim("b") == []
        finisher.start()
        finisher.join(0.3)
        # It must not look past the claim that may be making the second one wait just now.
        assert store.outbox.get(first.message_id).status is MessageStatus.CLAIMED  # type: ignore[union-attr]
    finisher.join(60)
    assert numbers(store.outbox.claim("c")) == [2]


def nothing_waits_for_what_is_being_finished(store: PostgresEventStore) -> None:
    """The second message comes, and is found behind the first, when the first one's finisher has looked for it already."""
    store.outbox.add(ordered(1))
    [first] = store.outbox.claim("a")
    with store.transaction() as tx:
        tx.outbox.complete(first)
        store.outbox.add([ordered(2), ordered(3)])
        assert store.outbox.claim("b") == []
    assert numbers(store.outbox.claim("c")) == [2]


def a_held_stream_leaves_the_way(store: PostgresEventStore) -> None:
    """While its first message is being finished, one of its backlog is looked at again and again, and no more."""
    store.outbox.add([ordered(n) for n in range(45)])
    [first] = store.outbox.claim("a", limit=1)
    with store.transaction() as tx:
        tx.outbox.complete(first)
        store.outbox.add(ordered(99, "b-1"))
        assert [99] in [numbers(store.outbox.claim("b", limit=1)) for _ in range(4)]
    for expected in range(1, 45):
        [claimed] = store.outbox.claim("w")
        assert claimed.payload == expected
        store.outbox.complete(claimed)


def finishers_know_of_each_other(store: PostgresEventStore) -> None:
    """A requeued message and the one that went on without it are finished at the same time."""
    store.outbox.add([ordered(n) for n in range(3)])
    [requeued] = store.outbox.claim("a")
    store.outbox.fail(requeued, "broken", give_up=True)
    [second] = store.outbox.claim("a")
    assert store.outbox.requeue(requeued.message_id)
    [first] = store.outbox.claim("a")
    finisher = threading.Thread(target=store.outbox.complete, args=(second,))
    with store.transaction() as tx:
        tx.outbox.complete(first)
        finisher.start()
        finisher.join(0.3)
        assert store.outbox.get(second.message_id).status is MessageStatus.CLAIMED  # type: ignore[union-attr]
    finisher.join(60)
    assert numbers(store.outbox.claim("c")) == [2]


def order_is_kept(store: PostgresEventStore) -> None:
    store.outbox.add([ordered(n) for n in range(4)])
    for expected in range(4):
        [claimed] = store.outbox.claim("w")
        assert claimed.payload == expected
        store.outbox.complete(claimed)


def done_messages_are_not_walked(store: PostgresEventStore) -> None:
    """T23: beside 50,000 done messages a claim reads a few pages, also with statistics of an empty queue."""
    schema = store._context.sql.quoted
    with store.transaction() as tx:
        tx.connection.execute(
            f"INSERT INTO {schema}.outbox (message_id, destination, payload, headers, stream_id, ordered, status, "
            "max_attempts, due_at, created_at, finished_at) SELECT gen_random_uuid(), 't', '1', '{}', 'a-1', true, "
            "'done', 1, now(), now(), now() FROM generate_series(1, 50000)"
        )
        tx.connection.execute(f"ANALYZE {schema}.outbox")
    store.outbox.add([ordered(n, f"a-{n % 10}") for n in range(200)])
    with store.transaction() as tx:
        tx.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        explained = tx.connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {schema}.claim_outbox('w', 100, 30)"
        ).fetchone()[0]
        plan = explained[0]["Plan"]
        assert plan["Actual Rows"] == 10
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20_000
    with store.transaction() as tx:
        for query, index in (
            (f"SELECT position FROM {schema}.outbox WHERE status = 'pending' AND due_at <= now() ORDER BY due_at, position LIMIT 9 FOR UPDATE SKIP LOCKED", "idx_outbox_due"),
            (f"SELECT {schema}.outbox_head('a-1')", "Result"),
            (f"SELECT position FROM {schema}.outbox WHERE stream_id >= 'a-1' AND stream_id <= 'a-1' AND ordered AND status IN ('pending', 'waiting', 'claimed') ORDER BY stream_id, position LIMIT 1", "idx_outbox_order"),
            (f"SELECT position FROM {schema}.outbox WHERE status = 'done' AND finished_at <= now() ORDER BY finished_at LIMIT 9", "idx_outbox_finished"),
            (f"SELECT position FROM {schema}.outbox WHERE position > 0 AND status = 'dead' ORDER BY position LIMIT 9", "idx_outbox_dead"),
        ):  # fmt: skip
            text = "\n".join(row[0] for row in tx.connection.execute("EXPLAIN " + query).fetchall())
            assert index in text, text
            assert "Seq Scan" not in text


def settling_walks_no_old_claims(store: PostgresEventStore) -> None:
    """Beside 20,000 messages that were claimed and done since the last vacuum, settling looks up its own ones only."""
    schema = store._context.sql.quoted
    with store.transaction() as tx:
        tx.connection.execute(f"ALTER TABLE {schema}.outbox SET (autovacuum_enabled = off)")
        tx.connection.execute(
            f"INSERT INTO {schema}.outbox (message_id, destination, payload, headers, ordered, status, max_attempts, "
            "due_at, created_at) SELECT gen_random_uuid(), 't', '1', '{}', false, 'claimed', 1, now() + '1 hour', now() "
            "FROM generate_series(1, 20000)"
        )
    with store.transaction() as tx:
        tx.connection.execute(f"UPDATE {schema}.outbox SET status = 'done', finished_at = now()")
        tx.connection.execute(f"ANALYZE {schema}.outbox")
    store.outbox.add([OutboxMessage("t", n) for n in range(20)])
    verdicts = [{"p": found.position, "t": found.token, "v": "done"} for found in store.outbox.claim("w")]
    with store.transaction() as tx:
        tx.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        settled = tx.connection.execute(f"SELECT * FROM {schema}.settle_outbox(%s)", (json.dumps(verdicts),)).fetchall()
        [walked] = tx.connection.execute(
            f"SELECT pg_stat_get_xact_tuples_returned('{schema}.idx_outbox_due'::regclass)"
        ).fetchone()
    assert len(settled) == 20
    assert walked < 100


CHECKS = [
    a_late_worker_is_refused,
    a_killer_is_given_up,
    nobody_is_left_waiting,
    nothing_waits_for_what_is_being_finished,
    a_held_stream_leaves_the_way,
    finishers_know_of_each_other,
    order_is_kept,
    done_messages_are_not_walked,
    settling_walks_no_old_claims,
]
_CASE = "CASE o.status WHEN 'claimed' THEN o.due_at > clock_timestamp() ELSE false END"
TWINS = [
    (a_late_worker_is_refused, "settle_outbox", "THEN o.due_at > clock_timestamp()", "THEN true"),
    (a_late_worker_is_refused, "settle_outbox", "AND o.token = v.t", ""),
    (a_killer_is_given_up, "claim_outbox", "attempts = o.attempts + 1", "attempts = o.attempts"),
    (finishers_know_of_each_other, "promote_outbox", "FOR UPDATE OF o", ""),
    (nobody_is_left_waiting, "promote_outbox", "SET status = 'pending'", "SET status = 'waiting'"),
    (nothing_waits_for_what_is_being_finished, "claim_outbox", "FOR SHARE SKIP LOCKED", ""),
    (a_held_stream_leaves_the_way, "claim_outbox", "l.p < b.position", "false"),
    (order_is_kept, "claim_outbox", "WHERE s.head < s.position", "WHERE false"),
    (done_messages_are_not_walked, "idx_outbox_due", "", ""),
    (done_messages_are_not_walked, "idx_outbox_order", "", ""),
    (settling_walks_no_old_claims, "settle_outbox", _CASE, "o.status = 'claimed' AND o.due_at > clock_timestamp()"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(store: PostgresEventStore, check: Callable[[PostgresEventStore], None]) -> None:
    check(store)


@pytest.mark.parametrize(
    ("check", "function", "old", "new"), TWINS, ids=lambda value: getattr(value, "__name__", None) or str(value)[:30]
)
def test_a_bent_twin_is_told(
    store: PostgresEventStore, check: Callable[[PostgresEventStore], None], function: str, old: str, new: str
) -> None:
    bend(store, function, old, new)
    with pytest.raises((AssertionError, pytest.fail.Exception, ValueError, LeaseLostError)):
        check(store)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_that_may_be_too_old_is_refused(store: PostgresEventStore, postgres_url: str, level: str) -> None:
    store.outbox.add([ordered(1), ordered(2)])
    [first] = store.outbox.claim("a")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        tx = store.bind(connection)
        for refused in (lambda: tx.outbox.claim("b"), lambda: tx.outbox.complete(first)):
            with pytest.raises(UsageError, match=r"nothing was done.*READ COMMITTED"):
                refused()
        tx.outbox.add(ordered(3))  # the transaction goes on
        connection.execute("COMMIT")
    store.outbox.complete(first)
    assert [found.status for found in store.outbox.list()] == [MessageStatus.DONE, *[MessageStatus.PENDING] * 2]
    assert numbers(store.outbox.claim("c")) == [2]
