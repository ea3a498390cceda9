"""Every command answers in JSON where it is asked for."""

from __future__ import annotations

import json
import os
import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from mink_core import (
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    ParkedEvent,
    Saga,
    SagaStatus,
    Store,
    open_store,
)
from mink_core.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.cli.helps import OURS


@pytest.fixture
def role(admin_url: str) -> Iterator[str]:
    """A role that may nothing yet."""
    name = f"mink_help_{os.getpid()}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def store(postgres_url: str, schema: str) -> Iterator[tuple[Store, str]]:
    """A store with one of everything in it."""
    url = f"{postgres_url}?schema={schema}"
    with open_store(url) as opened:
        opened.initialize()
        message = OutboxMessage("mail", {"to": "ann"})
        opened.append("order-1", [NewEvent("Placed", {})], expected_version=ExpectedVersion.NO_STREAM, outbox=[message])
        opened.snapshots.save("order-1", 1, {"total": 1})
        opened.idempotency.reserve("key-1")
        opened.sagas.save(Saga("saga-1", "T", {}, SagaStatus.STUCK, "c"), expected_version=0)
        handled = threading.Event()
        with opened.subscription("mailer", lambda event: handled.set()):
            assert handled.wait(60)
        [event] = opened.read_all(where=EventFilter())
        opened.parked.park("mailer", event, attempts=1, error="refused")
        assert isinstance(opened.parked.list()[0], ParkedEvent)
        yield opened, url


def test_json_is_json_and_nothing_is_coloured(
    store: tuple[Store, str], role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command once, in an order in which each finds what it needs."""
    opened, url = store
    monkeypatch.chdir(tmp_path)
    [message] = opened.outbox.list()
    calls = [
        "init",
        "append order-2 --expect none --type Placed --data {}",
        "read order-1",
        "tail --after 0 --limit 1",
        "streams",
        "info",
        "info order-1",
        "subscriptions",
        "subscriptions pause mailer",
        "parked list mailer",
        "parked remove mailer --position 1 --yes",
        "subscriptions reset mailer --yes",
        "check",
        "migrate status",
        "migrate up",
        "migrate up --sql",
        f"grants --role {role}",
        "doctor",
        "stats",
        "epoch",
        "epoch --bump",
        "export events.jsonl",
        "import events.jsonl",
        "outbox list",
        f"outbox show {message.message_id}",
        "outbox requeue --all",
        "outbox purge --older-than 0s --dead --yes",
        "snapshots list",
        "snapshots show order-1",
        "snapshots delete order-1",
        "sagas list",
        "sagas show saga-1",
        "sagas requeue saga-1",
        "sagas delete saga-1 --version 2 --yes",
        "idempotency list",
        "idempotency show key-1",
        "idempotency purge",
        f"demo --seconds 0.5 --no-rules --store {url}",
        "partition 2",
        "payloads json",
    ]
    assert {path for path in OURS if not any(call.startswith(" ".join(path)) for call in calls)} == set()
    silent: list[str] = []
    for call in calls:
        result = CliRunner().invoke(app, ["--store", url, *shlex.split(call), "--json"], prog_name="mink")
        assert result.exit_code in ({0, 1} if call == "doctor" else {0}), (call, result.output)
        assert "\x1b" not in result.output
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert all(isinstance(record, dict) for record in records)
        if not records:
            silent.append(call)
    # They found nothing to tell, which a line would contradict.
    assert silent == ["parked remove mailer --position 1 --yes", "check"]
