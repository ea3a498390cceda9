"""Sessions of roles, and what they are refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.postgres.sessions import Session

RAW_INSERT = "INSERT INTO {schema}.events (stream_id, version, event_type, data) VALUES ('raw-1', %s, 'X', '0')"
HOSTILE = 'app"; DROP SCHEMA public; --'
Roles = dict[str, str]
Open = Callable[..., Session]


def as_session(session: Open, url: str) -> Session:
    return session(url.partition("?")[0])


def refused(opened: Session, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.run(statement)
    opened.rollback()


def admin_in_test_database_url(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    user = f"{parts['user']}:{quote(str(parts.get('password', '')), safe='')}"
    return f"postgresql://{user}@{parts['host']}:{parts['port']}/{parts['dbname']}"
