"""`mink migrate`, `grants`, `doctor` and `stats`, as an operator runs them."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from rich.console import Console

from mink_core import NewEvent, open_store
from mink_core.administration import Diagnosis, Level
from mink_core.cli.commands.doctor import show
from mink_core.cli.session import Session
from mink_postgres.migrations import raw_migrations
from tests.cli.conftest import lines
from tests.cli.test_postgres import run

if TYPE_CHECKING:
    from tests.cli.conftest import Mink

NAMES = [step.name for step in raw_migrations()]


@pytest.fixture
def url(postgres_url: str, schema: str) -> str:
    return f"{postgres_url}?schema={schema}"


def test_migrate_shows_then_applies(mink: Mink, url: str, postgres_url: str) -> None:
    before = mink("migrate", store_url=url)
    assert before.exit_code == 1
    assert [step["applied_at"] for step in lines(before.stdout)] == [None] * len(NAMES)
    script = mink("migrate", "up", "--sql", store_url=url)
    assert script.exit_code == 0
    assert "CREATE TRIGGER events_append_only" in script.stdout
    # Printing changes nothing.
    assert mink("migrate", "status", store_url=url).exit_code == 1
    assert lines(mink("migrate", "up", store_url=url).stdout) == [{"applied": NAMES}]
    assert lines(mink("migrate", "up", store_url=url).stdout) == [{"applied": []}]
    assert mink("migrate", "up", "--sql", store_url=url).stdout == ""
    after = mink("migrate", store_url=url)
    assert after.exit_code == 0
    assert [step["name"] for step in lines(after.stdout)] == NAMES
    assert all(step["applied_at"] for step in lines(after.stdout))
    assert mink("append", "a-1", "--expect", "none", "--type", "T", "--data", "1", store_url=url).exit_code == 0


def test_grants_are_printed_unless_applied(mink: Mink, url: str, admin_url: str) -> None:
    assert mink("init", store_url=url).exit_code == 0
    unknown = mink("grants", "--role", "mink_cli_app", store_url=url)
    assert unknown.exit_code == 3
    assert unknown.stderr.endswith('CREATE ROLE "mink_cli_app" LOGIN\n')
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE mink_cli_app")
        try:
            printed = mink("grants", "--role", "mink_cli_app", store_url=url).stdout
            assert printed.startswith("BEGIN;\n")
            assert "INSERT (stream_id, version" in printed
            applied = mink("grants", "--role", "mink_cli_app", "--as", "reader", "--apply", store_url=url)
            assert lines(applied.stdout) == [{"role": "mink_cli_app", "access": ["reader"]}]
            assert mink("grants", "--role", "mink_cli_app", "--as", "god", store_url=url).exit_code == 2
        finally:
            with psycopg.connect(url.partition("?")[0], autocommit=True) as owner:
                schema = url.partition("schema=")[2]
                owner.execute(f'DROP SCHEMA "{schema}" CASCADE')  # type: ignore[arg-type]
            admin.execute("DROP ROLE mink_cli_app")


@pytest.mark.usefixtures("durable")
def test_doctor_names_the_blocking_backend_and_ends_with_1(url: str) -> None:
    with open_store(url) as store:
        store.initialize()
        status, out, err = run("doctor", url=url)
        assert (status, err) == (0, "")
        assert {it["subject"] for it in map(json.loads, out.splitlines())} >= {
            "server",
            "schema",
            "feed",
            "connections",
        }
        with store.transaction() as transaction:
            transaction.append("slow-1", [NewEvent("A", 1)], expected_version=0)
            pid = transaction.connection.info.backend_pid
            status, out, err = run("doctor", "--max-lag", "0.0001", url=url)
    assert (status, err) == (1, "")
    [held] = [it for it in map(json.loads, out.splitlines()) if it["subject"] == "feed"]
    assert held["level"] in ("warning", "critical")
    assert held["figures"]["process"] == pid
    assert f"pg_terminate_backend({pid})" in held["advice"]


def test_doctor_before_init(mink: Mink, url: str) -> None:
    found = mink("doctor", store_url=url)
    assert found.exit_code == 1
    [schema] = [it for it in lines(found.stdout) if it["subject"] == "schema"]
    assert (schema["level"], schema["advice"]) == ("critical", "mink init")


def test_doctor_prints_no_markup_and_no_control_characters_of_others() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    show(console, [Diagnosis("feed", Level.CRITICAL, "doing: [red]\x1b[2J\nx\u202e", "end it")])
    said = console.export_text()
    assert "[red]\\u001b[2J x\\u202e" in said
    assert "→ end it" in said
    assert "1 of 1 looks found trouble." in said


def test_stats(mink: Mink, url: str) -> None:
    assert mink("stats", store_url=url).exit_code == 3
    with open_store(url) as store:
        store.initialize()
        store.append("a-1", [NewEvent("A", 1)], expected_version=0)
    [found] = lines(mink("stats", store_url=url).stdout)
    assert (found["head"], found["events_last_hour"]) == (1, 1)
    assert {it["name"] for it in found["indexes"]} >= {"events_pkey"}


@pytest.mark.parametrize("command", [("migrate",), ("grants", "--role", "x"), ("doctor",), ("stats",)], ids=str)
def test_memory_has_nothing_to_administer(mink: Mink, command: tuple[str, ...]) -> None:
    refused = mink(*command, store_url="memory://x")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("mink: a memory:// store has nothing to administer")


def test_epoch_is_shown_and_raised(mink: Mink, url: str) -> None:
    assert mink("init", store_url=url).exit_code == 0
    [first] = lines(mink("epoch", store_url=url).stdout)
    [raised] = lines(mink("epoch", "--bump", store_url=url).stdout)
    assert raised == {"store": first["store"], "epoch": first["epoch"] + 1}
    assert lines(mink("epoch", store_url=url).stdout) == [raised]


def test_partitions_are_made_and_moved_into(mink: Mink, url: str) -> None:
    assert mink("init", store_url=url).exit_code == 0
    assert mink("append", "a-1", "--expect", "none", "--type", "T", "--data", "1", store_url=url).exit_code == 0
    refused = mink("init", "--hash-partitions", "4", store_url=url)
    assert refused.exit_code == 3
    assert "`mink partition 4`" in refused.stderr
    (moved,) = lines(mink("partition", "4", store_url=url).stdout)
    assert (moved["partitions"], moved["copied"]) == (4, 1)
    assert mink("init", "--hash-partitions", "4", store_url=url).exit_code == 0  # it is so already
    assert mink("partition", "4", store_url=url).exit_code == 3
    assert mink("check", store_url=url).exit_code == 0
    told = {it["subject"]: it for it in lines(mink("doctor", store_url=url).stdout)}
    assert told["partitions"]["figures"] == {"partitions": 4}
    assert lines(mink("read", "a-1", store_url=url).stdout)[0]["data"] == 1


def test_a_new_store_keeps_json_where_it_is_told_so(mink: Mink, url: str) -> None:
    assert mink("init", "--json-type", "json", store_url=url).exit_code == 0
    assert mink("init", store_url=url).exit_code == 0
    assert (
        mink("append", "a-1", "--expect", "none", "--type", "T", "--data", '{"b":1,"a":2}', store_url=url).exit_code
        == 0
    )
    told = {it["subject"]: it for it in lines(mink("doctor", store_url=url).stdout)}
    assert told["payloads"]["figures"] == {"type": "json"}
    assert lines(mink("read", "a-1", store_url=url).stdout)[0]["data"] == {"a": 2, "b": 1}
    refused = mink("init", "--json-type", "text", store_url=url)
    assert refused.exit_code == 2
    assert "json_type must be 'jsonb' or 'json'" in refused.stderr
    assert mink("init", "--json-type", "json", store_url="memory://").exit_code == 2


def test_partitions_are_refused_where_there_are_none(mink: Mink) -> None:
    assert mink("init", "--hash-partitions", "4", store_url="memory://").exit_code == 2
    assert mink("partition", "4", store_url="memory://").exit_code == 2


def test_payloads_become_another_type(mink: Mink, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mink("init", store_url=url).exit_code == 0
    assert mink("append", "a-1", "--expect", "none", "--type", "T", "--data", "1", store_url=url).exit_code == 0
    (done,) = lines(mink("payloads", "json", store_url=url).stdout)
    assert (done["json_type"], done["changed"], done["copied"]) == ("json", True, 1)
    (done,) = lines(mink("payloads", "json", store_url=url).stdout)
    assert (done["changed"], done["copied"]) == (False, 0)
    assert mink("partition", "4", store_url=url).exit_code == 0
    assert lines(mink("payloads", "jsonb", store_url=url).stdout)[0]["changed"]
    assert mink("check", store_url=url).exit_code == 0
    assert lines(mink("read", "a-1", store_url=url).stdout)[0]["data"] == 1
    assert mink("payloads", "text", store_url=url).exit_code == 2
    assert mink("payloads", "json", store_url="memory://").exit_code == 2
    monkeypatch.setattr(Session, "speaks_json", False)
    said = mink("payloads", "json", store_url=url).stdout
    assert re.match(r"payloads are json: 1 events were copied, 0 of them while others waited for \d+\.\d\d s\n", said)
    assert mink("payloads", "json", store_url=url).stdout == "payloads are json already; nothing was changed\n"
