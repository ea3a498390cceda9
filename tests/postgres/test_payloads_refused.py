"""A change of payloads that cannot be: what stands in its way is named, and the store stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from mink_core import NewEvent, SchemaError, UsageError
from mink_core.administration import Level
from mink_core.registry import open_administration
from mink_postgres.programs import moving
from tests.postgres.changing import changed, filled, opened, types
from tests.postgres.loads import BrokenOffError, break_off
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = {
    "index my_own": "CREATE INDEX my_own ON {schema}.events_p1 (event_type, timestamp)",
    "policy tenants": "CREATE POLICY tenants ON {schema}.events USING (true)",
    "trigger told": (
        "CREATE TRIGGER told AFTER INSERT ON {schema}.events_p0 EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "publication told_of": "CREATE PUBLICATION told_of FOR TABLE {schema}.events",
    "storage parameter autovacuum_enabled=true": "ALTER TABLE {schema}.events_p0 SET (autovacuum_enabled = true)",
    "view newest": "CREATE VIEW {schema}.newest AS SELECT max(global_position) FROM {schema}.events_p1",
}


def test_what_would_be_lost_is_named(postgres_url: str, schema: str) -> None:
    """Of partitions as well; what is put on the table while it is copied stops the last step."""
    with opened(postgres_url, schema, hash_partitions=2) as store:
        filled(store, 1)
    for statement in OWN.values():
        raw(postgres_url, schema, statement)
    with pytest.raises(SchemaError, match="nothing was changed") as refused:
        changed(postgres_url, schema, "json")
    assert [named for named in OWN if named not in str(refused.value)] == []
    assert raw(postgres_url, schema, "SELECT to_regclass('{schema}.events_retyped')::text") == [(None,)]
    for statement in (
        "DROP INDEX {schema}.my_own",
        "DROP POLICY tenants ON {schema}.events",
        "DROP TRIGGER told ON {schema}.events_p0",
        "DROP PUBLICATION told_of",
        "ALTER TABLE {schema}.events_p0 RESET (autovacuum_enabled)",
        "DROP VIEW {schema}.newest",
    ):
        raw(postgres_url, schema, statement)
    with pytest.raises(SchemaError, match=r"policy tenants.*nothing was changed"):
        changed(postgres_url, schema, "json", lambda _done, _mark: raw(postgres_url, schema, OWN["policy tenants"]))
    raw(postgres_url, schema, "DROP POLICY tenants ON {schema}.events")
    assert changed(postgres_url, schema, "json").changed


NUL = '{"text": "a\\u0000b"}'
WRITTEN_RAW = """
    WITH s AS (INSERT INTO {schema}.streams (stream_id, category, version) VALUES ('raw-1', 'raw', 1))
    INSERT INTO {schema}.events (stream_id, version, event_type, data, metadata) VALUES ('raw-1', 1, 'Raw', '%s', '%s')
"""


@pytest.mark.parametrize("when", ["copied", "copied under the lock"])
@pytest.mark.parametrize("wrong", [(NUL, "{}"), ('"\\ud800"', "{}"), ("1", NUL), ("1e999999", "{}")])
def test_what_jsonb_cannot_hold_is_named(
    postgres_url: str, schema: str, when: str, wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(postgres_url, schema, json_type="json") as store:
        filled(store, 1)
        write: Callable[..., object] = lambda *_: raw(postgres_url, schema, WRITTEN_RAW % wrong)  # noqa: E731
        if when == "copied":
            write()
        else:
            inner = moving.finish

            def late(*arguments: Any) -> Any:
                if not list(store.read_stream("raw-1", limit=1)):
                    write()
                return inner(*arguments)

            monkeypatch.setattr(moving, "finish", late)
        before = raw(postgres_url, schema, "SELECT e::text, e.tableoid FROM {schema}.events AS e ORDER BY 1")
        with pytest.raises(SchemaError, match=r"event at position 11 \(version 1 of stream 'raw-1'\) holds what jsonb"):
            changed(postgres_url, schema, "jsonb")
        assert types(postgres_url, schema) == {"json"}
        stored = raw(postgres_url, schema, "SELECT e::text, e.tableoid FROM {schema}.events AS e ORDER BY 1")
        assert [it for it in stored if "raw-1" not in it[0]] == [it for it in before if "raw-1" not in it[0]]
        store.append("s-0", [NewEvent("Made", 1)], expected_version=10)
        assert store.check() == []
        store.privacy.redact("raw-1", 1, data="redacted", metadata={}, by="test")
        assert changed(postgres_url, schema, "jsonb").changed
        assert [it.data for it in store.read_stream("raw-1")] == ["redacted"]
        assert types(postgres_url, schema) == {"jsonb"}


def test_two_copies_are_not_begun(postgres_url: str, schema: str) -> None:
    with opened(postgres_url, schema) as store:
        filled(store, 1)

    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(BrokenOffError):
            administration.change_payloads("json", break_off)
        noticed = [it for it in administration.diagnose() if it.subject == "payloads"]
        assert [(it.level, "mink payloads" in it.advice) for it in noticed] == [(Level.NOTICE, True)]
        with pytest.raises(SchemaError, match=r"begun by `mink payloads`.*nothing was changed.*events_retyped"):
            administration.partition(2)
        raw(postgres_url, schema, "DROP TABLE {schema}.events_retyped")
        with pytest.raises(BrokenOffError):
            administration.partition(2, break_off)
        with pytest.raises(SchemaError, match=r"begun by `mink partition`.*nothing was changed.*events_hashed"):
            administration.change_payloads("json")
        assert administration.partition(2).copied == 0
        assert administration.change_payloads("json").changed
        assert [it.level for it in administration.diagnose() if it.subject == "payloads"] == [Level.OK]
        for wrong in ("text", "", None):
            with pytest.raises(UsageError, match="nothing was changed"):
                administration.change_payloads(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_session_that_would_not_see_all_is_refused(postgres_url: str, schema: str, level: str) -> None:
    """What is appended while the lock is waited for would not be copied, and be dropped with the table."""
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        setting = quote("-c default_transaction_isolation=" + level.replace(" ", r"\ "))
        with open_administration(f"{postgres_url}?schema={schema}&options={setting}") as administration:
            for move in (lambda: administration.change_payloads("json"), lambda: administration.partition(2)):
                with pytest.raises(UsageError, match="REPEATABLE READ or SERIALIZABLE"):
                    move()
        begun = "SELECT to_regclass('{schema}.events_retyped'), to_regclass('{schema}.events_hashed')"
        assert raw(postgres_url, schema, begun) == [(None, None)]
        assert len(list(store.read_all())) == 10


def test_a_copy_of_another_type_or_layout_is_not_gone_on_with(postgres_url: str, schema: str) -> None:
    with opened(postgres_url, schema) as store:
        filled(store, 1)
    for statement, said in (
        ("CREATE TABLE {schema}.events_retyped (LIKE {schema}.events)", "payloads of type jsonb was begun, not json"),
        (
            (
                "CREATE TABLE {schema}.events_retyped (data json, stream_id text) PARTITION BY HASH (stream_id);"
                "CREATE TABLE {schema}.x PARTITION OF {schema}.events_retyped FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
            ),
            "1 partitions was begun, not 0",
        ),
    ):
        raw(postgres_url, schema, statement)
        with pytest.raises(SchemaError, match=f"{said}.*nothing was changed.*DROP TABLE"):
            changed(postgres_url, schema, "json")
        raw(postgres_url, schema, "DROP TABLE {schema}.events_retyped")
    assert changed(postgres_url, schema, "json").changed


def test_a_table_with_the_name_of_a_partition_is_named_first(postgres_url: str, schema: str) -> None:
    with opened(postgres_url, schema, hash_partitions=2) as store:
        filled(store, 2)
    raw(postgres_url, schema, "ALTER TABLE {schema}.events DETACH PARTITION {schema}.events_p0")
    raw(
        postgres_url,
        schema,
        "CREATE TABLE {schema}.later PARTITION OF {schema}.events FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    )
    with pytest.raises(SchemaError, match=r"called events_p0.*nothing was changed.*DROP TABLE"):
        changed(postgres_url, schema, "json")
    raw(postgres_url, schema, "ALTER TABLE {schema}.events_p0 RENAME TO kept")
    assert changed(postgres_url, schema, "json").changed
    assert raw(postgres_url, schema, "SELECT to_regclass('{schema}.events_p0')::oid IS NULL") == [(False,)]
