"""A pooler leads to a restored copy while the application runs on: none of its connections, and no call, tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mink_core import ExpectedVersion, NewEvent, PositionAheadError
from mink_postgres import PostgresEventStore
from mink_postgres.context import SettledMark
from tests.postgres.pgbouncer import NEEDED, PgBouncer
from tests.postgres.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY = ExpectedVersion.ANY
MADE = NewEvent("Made", {})

pytestmark = NEEDED


class Switched:
    """A store that is reached by a pooler, and a copy of an earlier moment of it, which the pooler can lead to."""

    def __init__(self, admin_url: str, postgres_url: str, bouncer: PgBouncer) -> None:
        self._admin_url = admin_url
        self._owner = str(conninfo_to_dict(postgres_url)["user"])
        self._bouncer = bouncer
        self._settings = bouncer._folder / "pgbouncer.ini"
        self._wildcard = next(line for line in self._settings.read_text("utf-8").splitlines() if line.startswith("* ="))
        self.urls = {
            name: f"postgresql://{self._owner}:{conninfo_to_dict(postgres_url)['password']}"
            f"@{conninfo_to_dict(postgres_url)['host']}:{conninfo_to_dict(postgres_url)['port']}/{name}"
            for name in ("mink_now", "mink_then")
        }
        self.drop()
        self._make("mink_now", "template0")
        self.lead_to("mink_now")
        self.url = bouncer.url("mink_app")

    def _run(self, text: str, **names: str) -> None:
        with psycopg.connect(make_conninfo(self._admin_url, dbname="postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL(text).format(**{key: sql.Identifier(name) for key, name in names.items()}))

    def _make(self, name: str, template: str) -> None:
        self._run("CREATE DATABASE {name} TEMPLATE {like} OWNER {owner}", name=name, like=template, owner=self._owner)

    def copy(self) -> None:
        """Take the copy."""
        self._make("mink_then", "mink_now")

    def lead_to(self, name: str) -> None:
        """As an operator does who lets the application run on; PgBouncer's own connections are renewed."""
        text = self._settings.read_text("utf-8").replace(self._wildcard, "")
        kept = [line for line in text.splitlines() if not line.startswith("mink_app =")]
        at = kept.index("[databases]") + 1
        where = self._wildcard.removeprefix("* =")
        kept[at:at] = [f"mink_app ={where} dbname={name}", self._wildcard]
        self._settings.write_text("\n".join(kept), "utf-8")
        self._bouncer.console("RELOAD")

    def drop(self) -> None:
        for name in self.urls:
            self._run("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)


@pytest.fixture
def switched(admin_url: str, postgres_url: str, bouncer: PgBouncer) -> Iterator[Switched]:
    made = Switched(admin_url, postgres_url, bouncer)
    yield made
    made.drop()


def test_what_was_settled_in_another_history_bounds_no_read(switched: Switched) -> None:
    """Two positions below what was settled are given out again: the lower one's transaction is open, the other committed."""
    with PostgresEventStore(switched.urls["mink_now"], min_size=1) as direct:
        direct.initialize()
        direct.append("a-1", [NewEvent("Made", {}) for _ in range(5)], expected_version=0)
    switched.copy()
    given: dict[str, Any] = {"min_size": 1, "transaction_pooler": True}
    with PostgresEventStore(switched.url, **given) as store, PostgresEventStore(switched.url, **given) as twin:
        # The broken twin remembers what is settled, as a store does whose connections tell of another server.
        object.__setattr__(twin._context, "settled", SettledMark())
        lost = store.append("lost-1", [NewEvent("Made", {}), NewEvent("Made", {})], expected_version=0)
        assert lost.last_position == 7
        before = store.identity()
        for reader in (store, twin):
            assert len(reader.poll(0).events) == 7

        switched.lead_to("mink_then")
        session = Session(switched.urls["mink_then"], "mink")
        held = session.insert("held-1", 1)
        with PostgresEventStore(switched.urls["mink_then"], min_size=1) as direct:
            direct.bump_epoch()
            committed = direct.append("new-1", [MADE], expected_version=ANY).first_position
        assert (held, committed) == (6, 7), "not the dangerous schedule: the positions were not given out again"

        assert [event.global_position for event in twin.poll(5).events] == [committed]  # and `held` never
        assert store.poll(5).events == []
        assert twin.poll(0, limit=2, identity=before).events
        with pytest.raises(PositionAheadError):
            store.poll(0, limit=2, identity=before)
        session.commit()
        session.connection.close()
        assert [event.global_position for event in store.poll(5).events] == [held, committed]
