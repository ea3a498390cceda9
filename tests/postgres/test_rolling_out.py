"""Old code beside a newer schema: it goes on where each step allows it, and is refused where one does not."""

from __future__ import annotations

import pytest

from mink_core import NewEvent, SchemaError
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.migrations import SCHEMA_VERSION, Migration, raw_migrations
from tests.postgres.test_migrations import FILL, raw, to_version, works

_FIRST_DECLARED = 15


LATER = "INSERT INTO {schema}.schema_migrations (version, name, checksum, oldest_code) VALUES (%d, 'later', 'x', %s)"


def test_old_code_works_on_a_newer_schema_that_allows_it(postgres_url: str, schema: str) -> None:
    """The state while a new release is rolled out: its migration is applied, this code still runs."""
    to_version(postgres_url, schema, SCHEMA_VERSION)
    raw(postgres_url, schema, FILL)
    raw(postgres_url, schema, "ALTER TABLE {schema}.store ADD COLUMN later integer")
    raw(postgres_url, schema, LATER % (SCHEMA_VERSION + 1, SCHEMA_VERSION))
    works(postgres_url, schema)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        status = administration.schema_status()
        assert (status.version, status.code_version) == (SCHEMA_VERSION + 1, SCHEMA_VERSION)
        assert [step.known for step in status.steps][-2:] == [True, False]
        assert not status.pending


@pytest.mark.parametrize("oldest", [str(SCHEMA_VERSION + 1), "NULL"])
def test_old_code_is_refused_by_a_newer_schema_that_does_not_allow_it(
    postgres_url: str, schema: str, oldest: str
) -> None:
    to_version(postgres_url, schema, SCHEMA_VERSION)
    raw(postgres_url, schema, LATER % (SCHEMA_VERSION + 1, oldest))
    # A step after it that would allow more does not soften it.
    raw(postgres_url, schema, LATER % (SCHEMA_VERSION + 2, SCHEMA_VERSION))
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        with pytest.raises(SchemaError, match=f"works with code of version {SCHEMA_VERSION + 1} or newer only"):
            store.append("order-1", [NewEvent("Made", {})], expected_version=0)
        with pytest.raises(SchemaError, match="upgrade mink-eventstore"):
            store.initialize()


def test_each_step_says_which_code_goes_on_working() -> None:
    declared = {step.version: step.oldest_code for step in raw_migrations() if step.version >= _FIRST_DECLARED}
    assert all(step.sql.startswith("-- oldest code: ") for step in raw_migrations() if step.version in declared)
    assert all(oldest <= version for version, oldest in declared.items())
    assert Migration(7, "x", "-- oldest code: 6\nSELECT 1").oldest_code == 6
    assert Migration(7, "x", "SELECT 1\n-- oldest code: 6").oldest_code == 7
