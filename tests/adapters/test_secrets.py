"""No secret of a URL shows in an error, a log, a repr or a report, and hostile URLs open nothing."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from mink_core import MinkError, UsageError, open_async_store, open_store
from mink_core.registry import open_administration
from mink_postgres.conninfo import check_conninfo
from tests.cli.programs import finish, start_mink

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hun/ter2:s3cr@t?#"
PIECES = ("hunter2", "ter2", "s3cr", quote(SECRET, safe=""), SECRET)
USER = f"app:{quote(SECRET, safe='')}"

# host:port/database?options, each of which cannot be opened.
BROKEN = {
    "nobody listens": f"{USER}@127.0.0.1:1/app",
    "no such host": f"{USER}@no-such-host.invalid/app",
    "several hosts": f"{USER}@127.0.0.1:1,127.0.0.1:2/app",
    "no number": f"{USER}@127.0.0.1:port/app",
    "a port too high": f"{USER}@127.0.0.1:99999/app",
    "unquoted": f"app:{SECRET}@127.0.0.1:1/app",
    "unquoted space": "app:hunter2 s3cr@127.0.0.1:1/app",
    "in the query": f"127.0.0.1:1/app?user=app&password={quote(SECRET, safe='')}",
    "in an unknown option": f"{USER}@127.0.0.1:1/app?nonsense=1",
    "wrong option of ours": f"{USER}@127.0.0.1:1/app?max_size=many",
    "hostile schema": f"{USER}@127.0.0.1:1/app?schema=..%2F..%2Fetc",
    "bad escape": f"{USER}%zz@127.0.0.1:1/app",
    "open bracket": f"{USER}@[::1/app",
    "past a pooler": f"{USER}@127.0.0.1:1/app?transaction_pooler=true&direct_url={quote(f'postgresql://{USER}@127.0.0.1:port/app', safe='')}",
    "no such file": f"{USER}@127.0.0.1:1/app?sslmode=verify-full&sslrootcert=/no/such/file.pem",
    "key password": f"app@127.0.0.1:1/app?sslmode=require&sslpassword={quote(SECRET, safe='')}",
}


def opened(url: str) -> None:
    with open_store(url) as store:
        store.initialize()


def administered(url: str) -> None:
    with open_administration(url) as administration:
        administration.schema_status()


def opened_async(url: str) -> None:
    async def inside() -> None:
        async with open_async_store(url) as store:
            await store.initialize()

    asyncio.run(inside())


def opened_asyncpg(url: str) -> None:
    opened_async(url.replace("postgresql:", "postgresql+asyncpg:"))


DOORS = [opened, opened_async, opened_asyncpg, administered]


def assert_no_secret(text: str) -> None:
    for piece in PIECES:
        assert piece not in text


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
@pytest.mark.parametrize("rest", BROKEN.values(), ids=list(BROKEN))
def test_no_error_or_log_shows_a_secret(
    door: Callable[[str], None], rest: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(MinkError) as failed:
        door(f"postgresql://{rest}")
    error = failed.value
    assert_no_secret(f"{error} {error!r} {pickle.loads(pickle.dumps(error))}")
    assert_no_secret("".join(traceback.format_exception(error)))
    assert_no_secret(caplog.text)


@pytest.mark.parametrize("rest", [BROKEN["nobody listens"], BROKEN["unquoted"], BROKEN["in the query"]])
def test_no_repr_shows_a_secret(rest: str) -> None:
    url = f"postgresql://{rest}"
    stores: list[Any] = [open_store(url), open_async_store(url)]
    for store in stores:
        assert_no_secret(
            f"{store!r} {store} {store._options!r} {store._context!r} {store._backend!r} {store._backend._source!r}"
        )


@pytest.mark.parametrize("command", ["init", "info", "doctor", "stats", "migrate", "check", "read"])
def test_no_command_shows_a_secret(command: str) -> None:
    status, out, err = finish(start_mink(command, "--debug", url=f"postgresql://{BROKEN['nobody listens']}"))
    assert status == 3
    assert_no_secret(out + err)


HOSTILE_URLS = [
    "",
    "postgresql",
    "://x",
    "../../etc/passwd://x",
    "os.system://x",
    "mink_core.cli://x",
    "postgresql+evil://x",
    "postgresql+embedded://relative/folder",
    "postgresql+embedded:///tmp/../etc",
    "postgresql+embedded:///tmp/%2e%2e/etc",
    "postgresql+embedded:///tmp/a\x00b",
    "postgresql+embedded:///tmp/a\nb",
    "memory://../../etc/passwd",
    "memory://a\nb",
    "postgresql://localhost/app\nhost=evil",
    "postgresql://localhost/app?schema=public;DROP",
    "postgresql://localhost/app?schema=%22x",
    "postgresql://localhost/app?min_size=1e3",
    "postgresql://localhost/app?max_size=0x10",
    "postgresql://localhost/app?unique_event_ids=yes;no",
]


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=ascii)
def test_hostile_urls_open_nothing(url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for opening in (open_store, open_async_store):
        with pytest.raises(MinkError) as refused:
            opening(url)
        assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("127.0.0.1:12/s3cr@elsewhere/app", "an @ in its host or database"),
        ("app:hunter2@s3cr@elsewhere/app", "an @ in its host or database"),
        ("127.0.0.1:s3cr/app", "no number from 1 to 65535"),
        ("127.0.0.1:0/app", "no number from 1 to 65535"),
        ("127.0.0.1/app?hunter2=1", "an option is unknown"),
    ],
)
def test_a_url_that_was_read_otherwise_than_meant_is_refused(rest: str, said: str) -> None:
    """A password with a / or an @ in it becomes a database or a host, which a server's error would name."""
    with pytest.raises(UsageError, match=said) as refused:
        check_conninfo(f"postgresql://{rest}")
    assert_no_secret(str(refused.value))
    check_conninfo("postgresql:///app?host=@abstract")
    check_conninfo("postgresql://a@h1:1,h2:2/app")
