"""A wrong password or database is no outage: trying again mends neither, and the error says where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from mink_core import StorageError, TransientStorageError
from mink_postgres.drivers.psycopg_errors import translated
from tests.postgres.test_hosts import DOORS, with_hosts

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = r"does not let the store in: .*; nothing was stored: look at the user, the password and the\s+database"


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
@pytest.mark.parametrize("wrong", ["password", "role", "database"])
def test_who_is_not_let_in_is_told_so(door: Callable[[str], None], wrong: str, postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    user = "nobody_at_all" if wrong == "role" else parts.username
    password = "wrong" if wrong == "password" else parts.password
    database = "/not_there" if wrong == "database" else parts.path
    url = f"postgresql://{user}:{password}@{parts.hostname}:{parts.port}{database}"
    if wrong == "password":
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            pass
        else:
            pytest.skip("the server asks for no password")
    with pytest.raises(StorageError, match=SAID) as caught:
        door(f"{url}?min_size=1")
    assert not isinstance(caught.value, TransientStorageError)
    assert "'wrong'" not in str(caught.value)


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
def test_another_host_may_let_in_later(door: Callable[[str], None], postgres_url: str) -> None:
    """One is down, the other has not got the database yet, as while a copy is restored."""
    parts = urlsplit(postgres_url)
    assert parts.port
    url = with_hosts(postgres_url, 1, parts.port).replace(parts.path, "/not_there")
    with pytest.raises(TransientStorageError, match="try again"):
        door(url)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('FATAL:  no pg_hba.conf entry for host "::1", user "a", database "b", no encryption', StorageError),
        ("fe_sendauth: no password supplied", StorageError),
        ("FATAL:  the database system is starting up", TransientStorageError),
        ("FATAL:  sorry, too many clients already", TransientStorageError),
        ('FATAL:  Passwort-Authentifizierung für Benutzer "a" fehlgeschlagen', TransientStorageError),  # not understood
    ],
)
def test_what_libpq_says_instead_of_a_code(said: str, kind: type[StorageError]) -> None:
    tried = "- host: 'localhost', port: '5432', hostaddr: '::1': connection failed: Connection refused"
    for text in (
        f"connection failed: {said}",
        f"{tried}\n- host: 'localhost', port: '5432', hostaddr: '127.0.0.1': {said}",
    ):
        assert type(translated(psycopg.OperationalError(text), None, lost=True)) is kind
    others = f"{tried}\n- host: 'other', port: '5432', hostaddr: '127.0.0.1': {said}"
    assert type(translated(psycopg.OperationalError(others), None, lost=True)) is TransientStorageError
