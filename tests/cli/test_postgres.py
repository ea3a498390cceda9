"""The command line on PostgreSQL: two processes on one store."""

from __future__ import annotations

import json

import psycopg
import pytest

from mink_core import NewEvent, open_store
from tests.cli.programs import finish, start_mink


@pytest.fixture
def url(postgres_url: str, schema: str) -> str:
    return f"{postgres_url}?schema={schema}"


def run(*args: str, url: str, given: bytes | None = None) -> tuple[int, str, str]:
    return finish(start_mink(*args, url=url), given)


def test_from_an_empty_database_to_a_followed_feed(url: str) -> None:
    status, _, err = run("read", url=url)
    assert status == 3
    assert "mink init" in err
    assert run("init", url=url)[0] == 0
    assert run("init", url=url)[0] == 0

    follower = start_mink("tail", "--after", "0", "--limit", "3", url=url)
    event = ("--type", "Placed", "--data", '{"price": 1e16}')
    assert run("append", "order-1", "--expect", "none", *event, url=url)[0] == 0
    status, _, err = run("append", "order-1", "--expect", "none", *event, url=url)
    assert status == 1
    assert err.startswith("mink: stream 'order-1' is at version 1")
    assert run("append", "order-1", "--expect", "1", *event, url=url)[0] == 0

    reader = start_mink("read", "order-1", url=url)
    writer = start_mink("append", "copy-1", "--expect", "none", url=url, stdin=reader.stdout)
    assert reader.stdout is not None
    reader.stdout.close()
    reader.stdout = None
    status, out, err = finish(writer)
    assert (status, err) == (0, "")
    assert json.loads(out)["last_version"] == 2
    assert finish(reader)[0] == 0

    status, out, err = finish(follower)
    assert (status, err) == (0, "")
    followed = [json.loads(line) for line in out.splitlines()]
    assert [(it["stream_id"], it["version"]) for it in followed] == [("order-1", 1), ("order-1", 2), ("copy-1", 1)]
    assert all(type(it["data"]["price"]) is float for it in followed)


def test_info_shows_who_holds_the_feed_back_and_no_password(url: str) -> None:
    with open_store(url) as store:
        store.initialize()
        with store.transaction() as transaction:
            transaction.append("slow-1", [NewEvent("A", 1)], expected_version=0)
            status, out, err = run("info", url=url)
        assert (status, err) == (0, "")
        found = json.loads(out)
        assert (found["head"], found["mark"], found["high"]) == (0, 0, 1)
        assert [holder["after_position"] for holder in found["holders"]] == [0]
        assert found["holders"][0]["process"] > 0
    assert "plain@" not in out
    assert found["adapter"] == "postgresql"


def test_a_refused_password_is_not_shown(url: str) -> None:
    wrong = url.replace(":plain@", ":hunter2@").replace("/mink_test", "/no_such_database")
    status, out, err = run("info", url=f"{wrong}&pool_timeout=10")
    assert status == 3
    assert "hunter2" not in out + err
    assert "Traceback" not in err


def test_demo_on_a_schema_of_its_own(url: str) -> None:
    status, out, err = run("demo", "--seconds", "1", "--json", "--store", url, url="memory://")
    assert status == 0, out + err
    assert json.loads(out)["held"] is True


def test_check_names_what_raw_writes_left_behind(url: str, postgres_url: str, schema: str) -> None:
    with open_store(url) as store:
        store.initialize()
        store.append("good-1", [NewEvent("A", 1)], expected_version=0)
        assert run("check", url=url) == (0, "", "")
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute(
                f"INSERT INTO {schema}.events (stream_id, version, event_type, data) VALUES ('good-1', 2, 'A', '1')"
            )
        status, out, err = run("check", url=url)
    assert (status, err) == (1, "")
    [finding] = [json.loads(line) for line in out.splitlines()]
    assert (finding["kind"], finding["subject"]) == ("stream", "good-1")
    assert "left it behind" in finding["problem"]
