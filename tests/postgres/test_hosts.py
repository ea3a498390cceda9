"""Several hosts in one URL: a dead one costs its time-out, and no more, at every door."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from mink_core import TransientStorageError, UsageError, open_async_store, open_store
from mink_postgres.drivers.asyncpg import connect
from mink_postgres.reaching import TIMEOUTS, libpq_options, reach_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mink_postgres import PostgresEventStore


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def by_psycopg(url: str) -> None:
    with open_store(url) as store:
        store.ping()


def by_async(url: str) -> None:
    async def opened() -> None:
        async with open_async_store(url) as store:
            await store.ping()

    asyncio.run(opened())


def by_asyncpg(url: str) -> None:
    by_async(url.replace("postgresql:", "postgresql+asyncpg:"))


DOORS = [by_psycopg, by_async, by_asyncpg]


def with_hosts(url: str, *ports: int, options: str = "") -> str:
    parts = urlsplit(url)
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://{parts.username}:{parts.password}@{hosts}{parts.path}?min_size=1{options}"


def test_dead_hosts_are_passed_over(postgres_url: str, silent: int, closed: int) -> None:
    port = urlsplit(postgres_url).port
    assert port
    options = "&connect_timeout=2&target_session_attrs=read-write&keepalives_idle=7"
    url = with_hosts(postgres_url, closed, silent, port, options=options)

    def timed(door: Callable[[str], None]) -> float:
        began = time.monotonic()
        door(url)
        return time.monotonic() - began

    with ThreadPoolExecutor(len(DOORS)) as doors:
        took = list(doors.map(timed, DOORS))
    # The silent one is asked by the first connection and by the pool's.
    assert 2 <= min(took) <= max(took) < 2 * TIMEOUTS["connect_timeout"]


def test_the_driver_alone_gives_up(postgres_url: str, silent: int) -> None:
    """The broken twin: one time-out for all hosts, which the first one uses up."""
    port = urlsplit(postgres_url).port
    assert port
    url = with_hosts(postgres_url, silent, port).partition("?")[0]
    with pytest.raises(TimeoutError):
        asyncio.run(asyncpg.connect(url, timeout=2))


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
def test_none_of_the_hosts(door: Callable[[str], None], postgres_url: str, closed: int) -> None:
    port = urlsplit(postgres_url).port
    assert port
    with pytest.raises(TransientStorageError, match=r"nothing was stored: try again") as caught:
        door(with_hosts(postgres_url, closed, port, options="&target_session_attrs=read-only"))
    assert str(closed) in str(caught.value)
    assert "plain" not in str(caught.value).replace("mink_plain_owner", "")


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
def test_a_time_out_that_is_no_number_is_refused(door: Callable[[str], None], postgres_url: str) -> None:
    with pytest.raises(UsageError, match="connect_timeout is no number"):
        door(f"{postgres_url}?connect_timeout=soon")


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
@pytest.mark.parametrize(
    "said",
    [
        "keepalives_idle=0", "keepalives_interval=99999", "keepalives_count=128", "tcp_user_timeout=99999999999",
        "sslmode=on", "target_session_attrs=master",
    ],
)  # fmt: skip
def test_an_option_that_can_never_be_is_refused(door: Callable[[str], None], postgres_url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.partition("=")[0]):
        door(f"{postgres_url}?{said}")


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
def test_a_host_without_a_port_of_its_own_is_refused(door: Callable[[str], None]) -> None:
    """The third host would never be tried."""
    with pytest.raises(UsageError, match="3 hosts but 2 ports"):
        door("postgresql:///db?host=a,b,c&port=1,2")


def test_options_with_spaces_and_pluses_reach_the_server(
    postgres_url: str, schema: str, store: PostgresEventStore
) -> None:
    url = f"{postgres_url}?schema={schema}&min_size=1&application_name=a%20b+c%2Bd&options=-c%20statement_timeout%3D7s"
    asked = "SELECT current_setting('application_name'), current_setting('statement_timeout')"
    with open_store(url) as opened, opened.transaction() as tx:
        assert tx.connection.execute(asked).fetchone() == ("a b+c+d", "7s")

    async def by_driver(url: str) -> tuple[str, str]:
        async with open_async_store(url) as opened, opened.transaction() as tx:
            if "asyncpg" in url:
                return tuple((await tx.connection.fetchrow(asked)).values())
            return await (await tx.connection.execute(asked)).fetchone()

    assert asyncio.run(by_driver(url)) == ("a b+c+d", "7s")
    assert asyncio.run(by_driver(url.replace("postgresql:", "postgresql+asyncpg:"))) == ("a b+c+d", "7s")


def test_what_asyncpg_is_told() -> None:
    reach = reach_of("postgresql://u:p@a:1,b:2/db?connect_timeout=1&keepalives_idle=4&sslmode=require")
    assert reach.url == "postgresql://u:p@a:1,b:2/db?sslmode=require"
    assert reach_of("postgresql://u:p#q@a/d#b").url == "postgresql://u:p%23q@a/d%23b"  # as libpq reads it
    assert reach.hosts == (("a", 1), ("b", 2))
    assert reach.timeout == 2  # as libpq, which allows no shorter one
    assert reach.keepalives["TCP_KEEPIDLE"] == 4
    assert reach.keepalives["TCP_USER_TIMEOUT"] == TIMEOUTS["tcp_user_timeout"]
    assert reach_of("postgresql://a,b:7/db").hosts == (("a", 5432), ("b", 7))
    assert reach_of("postgresql:///db?host=a,b&port=9").hosts == (("a", 9), ("b", 9))
    assert reach_of("postgresql:///db").hosts == (None,)
    assert reach_of("postgresql://a/db").timeout == TIMEOUTS["connect_timeout"]
    assert reach_of("postgresql://a/db?connect_timeout=0").timeout is None
    assert reach_of("postgresql://a/db?keepalives=0").keepalives == {}


def test_what_the_url_says_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert libpq_options("postgresql://a/db") == TIMEOUTS | {"client_encoding": "UTF8"}
    assert "keepalives_idle" not in libpq_options("postgresql://a/db?keepalives_idle=3")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "9")
    assert "connect_timeout" not in libpq_options("postgresql://a/db")
    assert reach_of("postgresql://a/db").timeout == 9


def test_the_socket_is_told(postgres_url: str) -> None:
    async def told() -> int:
        connection = await connect(f"{postgres_url}?keepalives_idle=7")
        try:
            made = connection._transport.get_extra_info("socket")
            return int(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE))
        finally:
            await connection.close()

    assert asyncio.run(told()) == 7
