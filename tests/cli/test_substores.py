"""`mink outbox`, `mink snapshots`, `mink sagas` and `mink idempotency`."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mink_core import MessageStatus, OutboxMessage, Saga, SagaStatus
from tests.cli.conftest import lines

if TYPE_CHECKING:
    from mink_core import Store
    from tests.cli.conftest import Mink


@pytest.fixture
def ids(store: Store) -> list[uuid.UUID]:
    """Five messages: 0 is done, 1 and 2 are dead letters, 3 and 4 are pending."""
    messages = [OutboxMessage("orders", {"n": n, "é": 1e16}) for n in range(5)]
    store.outbox.add(messages)
    done, *bad = store.outbox.claim("w", limit=3)
    store.outbox.complete(done)
    for message in bad:
        store.outbox.fail(message, "no such topic", give_up=True)
    return [message.message_id for message in messages]


def test_listing_and_showing_messages(mink: Mink, store: Store, ids: list[uuid.UUID]) -> None:
    found = lines(mink("outbox", "list").stdout)
    assert [(it["message_id"], it["status"]) for it in found] == list(
        zip(map(str, ids), ["done", "dead", "dead", "pending", "pending"], strict=True)
    )
    for args, expected in (
        (("--status", "dead"), [1, 2]),
        (("--status", "pending", "--limit", "1"), [3]),
        (("--after", str(found[2]["position"])), [3, 4]),
        (("--limit", "0"), []),
    ):
        assert [it["payload"]["n"] for it in lines(mink("outbox", "list", *args).stdout)] == expected
    [shown] = lines(mink("outbox", "show", str(ids[1])).stdout)
    assert (shown["payload"], shown["last_error"]) == ({"n": 1, "é": 1e16}, "no such topic")
    assert shown["headers"] == {"message-id": str(ids[1])}
    missing = mink("outbox", "show", str(uuid.UUID(int=1)))
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "does not exist" in missing.stderr
    assert mink("outbox", "show", "no-uuid").exit_code == 2
    assert mink("outbox", "list", "--status", "lost").exit_code == 2


def test_more_than_a_page_is_listed(mink: Mink, store: Store) -> None:
    store.outbox.add([OutboxMessage("t", n) for n in range(1201)])
    assert [it["payload"] for it in lines(mink("outbox", "list").stdout)] == list(range(1201))
    assert len(lines(mink("outbox", "list", "--limit", "1001").stdout)) == 1001


def test_requeueing_dead_letters(mink: Mink, store: Store, ids: list[uuid.UUID]) -> None:
    result = mink("outbox", "requeue", str(ids[1]), str(ids[3]))
    assert (result.exit_code, result.stdout) == (1, '{"requeued":1}\n')
    assert f"message {ids[3]} is no dead letter" in result.stderr
    result = mink("outbox", "requeue", "--all")
    assert (result.exit_code, result.stdout) == (0, '{"requeued":1}\n')
    assert [item.payload["n"] for item in store.outbox.list(status=MessageStatus.PENDING)] == [1, 2, 3, 4]
    assert mink("outbox", "requeue").exit_code == 2
    assert mink("outbox", "requeue", str(ids[1]), "--all").exit_code == 2


def test_purging_messages(mink: Mink, store: Store, ids: list[uuid.UUID]) -> None:
    assert mink("outbox", "purge", "--older-than", "7d").stdout == '{"deleted":0}\n'
    assert mink("outbox", "purge", "--older-than", "0s").stdout == '{"deleted":1}\n'
    refused = mink("outbox", "purge", "--older-than", "0", "--dead")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert mink("outbox", "purge", "--older-than", "0", "--dead", "--yes").stdout == '{"deleted":2}\n'
    assert [item.payload["n"] for item in store.outbox.list()] == [3, 4]
    for wrong in ("-1", "1 week", ""):
        result = mink("outbox", "purge", "--older-than", wrong)
        assert (result.exit_code, "a time is a number" in result.stderr) == (2, True)
    assert mink("outbox", "purge").exit_code == 2


def test_snapshots(mink: Mink, store: Store) -> None:
    for stream in ("b-1", "a-1"):
        for version in (1, 2):
            store.snapshots.save(stream, version, {"n": version}, snapshot_type="Sum", keep=2)
    found = lines(mink("snapshots", "list").stdout)
    assert [(it["stream_id"], it["version"], it["snapshot_type"]) for it in found] == [("a-1", 2, "Sum"), ("b-1", 2, "Sum")]  # fmt: skip
    assert [it["stream_id"] for it in lines(mink("snapshots", "list", "--after", "a-1").stdout)] == ["b-1"]
    [shown] = lines(mink("snapshots", "show", "a-1", "--at", "1").stdout)
    assert (shown["version"], shown["data"]) == (1, {"n": 1})
    store.snapshots.save("c-1", 1, b"\x00\xff")
    [shown] = lines(mink("snapshots", "show", "c-1").stdout)
    assert shown["data"] == "AP8="
    assert mink("snapshots", "delete", "a-1", "--up-to", "1").stdout == '{"deleted":1}\n'
    assert mink("snapshots", "delete", "a-1").stdout == '{"deleted":1}\n'
    assert mink("snapshots", "show", "a-1").exit_code == 1


def test_sagas(mink: Mink, store: Store) -> None:
    for number, status in enumerate(SagaStatus):
        store.sagas.save(Saga(f"s-{number}", "T", number, status, f"c-{number % 2}"), expected_version=0)
    assert len(lines(mink("sagas", "list").stdout)) == 7
    found = lines(mink("sagas", "list", "--status", "failed", "--status", "stuck", "--type", "T").stdout)
    assert [it["saga_id"] for it in found] == ["s-2", "s-6"]
    found = lines(mink("sagas", "list", "--correlation", "c-1", "--after", "s-1", "--limit", "1").stdout)
    assert [it["saga_id"] for it in found] == ["s-3"]
    [shown] = lines(mink("sagas", "show", "s-2").stdout)
    assert (shown["state"], shown["status"], shown["version"]) == (2, "failed", 1)
    refused = mink("sagas", "requeue", "s-0")
    assert (refused.exit_code, "is not stuck" in refused.stderr) == (1, True)
    assert mink("sagas", "requeue", "s-6").stdout == '{"requeued":1}\n'
    [due] = store.sagas.claim_due()
    assert (due.saga_id, due.status) == ("s-6", SagaStatus.RUNNING)
    refused = mink("sagas", "delete", "s-2", "--version", "1")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    conflict = mink("sagas", "delete", "s-2", "--version", "7", "--yes")
    assert (conflict.exit_code, "is at version 1" in conflict.stderr) == (1, True)
    assert mink("sagas", "delete", "s-2", "--version", "1", "--yes").stdout == '{"deleted":1}\n'
    assert mink("sagas", "show", "s-2").exit_code == 1


def test_idempotency_keys(mink: Mink, store: Store) -> None:
    store.idempotency.reserve("old", ttl=0.01)
    mine = store.idempotency.reserve("done", metadata={"by": "ann"})
    store.idempotency.complete(mine, {"ok": True})
    store.idempotency.reserve("held")
    time.sleep(0.02)
    found = lines(mink("idempotency", "list").stdout)
    assert [(it["key"], it["completed"]) for it in found] == [("done", True), ("held", False)]
    assert [it["key"] for it in lines(mink("idempotency", "list", "--after", "done").stdout)] == ["held"]
    [shown] = lines(mink("idempotency", "show", "done").stdout)
    assert (shown["response"], shown["metadata"]) == ({"ok": True}, {"by": "ann"})
    assert mink("idempotency", "show", "old").exit_code == 1
    assert mink("idempotency", "purge").stdout == '{"deleted":1}\n'
    assert len(lines(mink("idempotency", "list").stdout)) == 2


def test_tables_for_people(mink: Mink, store: Store, ids: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mink_core.cli.session.Session.speaks_json", property(lambda self: False))
    monkeypatch.setenv("COLUMNS", "80")
    store.snapshots.save("order-1", 3, {}, snapshot_type="Order")
    store.sagas.save(Saga("s-1", "Shipping", due_at=datetime.now(UTC)), expected_version=0)
    store.idempotency.complete(store.idempotency.reserve("k"), "r")
    for args, expected in (
        (("outbox", "list"), [str(ids[1]), "dead", "1/10"]),
        (("snapshots", "list"), ["order-1", "Order"]),
        (("sagas", "list"), ["s-1", "Shipping", "running"]),
        (("idempotency", "list"), ["completed", '"r"']),
    ):
        table = mink(*args).stdout
        assert all(word in table for word in expected), table
        assert max(map(len, table.splitlines())) <= 80


def test_every_command_says_what_it_does(mink: Mink) -> None:
    for name in ("outbox", "snapshots", "sagas", "idempotency"):
        result = mink(name, "--help")
        assert result.exit_code == 0
        assert "list" in result.stdout
        assert mink(name, "nonsense").exit_code == 2
    assert mink("outbox", "list", store_url=None).exit_code == 2
