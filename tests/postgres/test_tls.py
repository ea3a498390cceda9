"""TLS options of a URL reach the driver, at every door."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mink_core import MinkError, open_async_store, open_store
from mink_core.registry import open_administration
from mink_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CERTIFICATE = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = [*CERTIFICATE, "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """A server that speaks TLS: its URL, its certificate, and one that is not its own."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(folder, "server")
    other, _ = make_certificate(folder, "other")
    with EmbeddedServer.start() as server:
        data = server.folder / "data"
        owner = data.stat()
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            place = data / name
            shutil.copyfile(source, place)
            place.chmod(0o600)
            shutil.chown(place, owner.st_uid, owner.st_gid)
        server._settings["ssl"] = "on"
        server.restart()
        yield server.url(), certificate, other


USED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def by_psycopg(url: str) -> bool:
    with open_store(url) as store:
        store.initialize()
        with store.transaction() as transaction:
            return bool(transaction.connection.execute(USED).fetchone()[0])


def by_psycopg_async(url: str) -> bool:
    async def inside() -> bool:
        async with open_async_store(url) as store:
            await store.initialize()
            async with store.transaction() as transaction:
                return bool((await (await transaction.connection.execute(USED)).fetchone())[0])

    return asyncio.run(inside())


def by_asyncpg(url: str) -> bool:
    async def inside() -> bool:
        async with open_async_store(url.replace("postgresql:", "postgresql+asyncpg:")) as store:
            await store.initialize()
            async with store.transaction() as transaction:
                return bool(await transaction.connection.fetchval(USED))

    return asyncio.run(inside())


def by_administration(url: str) -> bool:
    with open_administration(url) as administration:
        administration.migrate()
        return bool(administration._connection.execute(USED).fetchone()[0])  # type: ignore[attr-defined]


DOORS = [by_psycopg, by_psycopg_async, by_asyncpg, by_administration]


@pytest.mark.parametrize("door", DOORS, ids=lambda it: it.__name__)
def test_tls_options_reach_the_driver(door: type, secure: tuple[str, Path, Path]) -> None:
    url, certificate, other = secure
    assert door(f"{url}?min_size=1&sslmode=verify-full&sslrootcert={certificate}&schema=tls") is True
    assert door(f"{url}?min_size=1&sslmode=disable&schema=tls") is False
    with pytest.raises(MinkError, match=r"(?i)certificate verify failed"):
        door(f"{url}?min_size=1&sslmode=verify-ca&sslrootcert={other}")
