"""A URL alone starts a server, and closing the store ends it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from mink_core import ExpectedVersion, NewEvent, StoreClosedError, UsageError, open_async_store, open_store


@pytest.fixture
def folder(postgres_url: str):
    made = Path(tempfile.mkdtemp(prefix="mink-test-"))
    made.chmod(0o755)
    yield made / "kept"
    shutil.rmtree(made, ignore_errors=True)


def test_a_temporary_one_and_its_end(postgres_url: str) -> None:
    store = open_store("postgresql+embedded://?min_size=1")
    with store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
        server = store._backend._source._server  # type: ignore[attr-defined]
        assert server.folder.exists()
    assert not server.folder.exists()
    with pytest.raises(StoreClosedError):
        store.head_position()


def test_a_kept_one_through_both_doors(folder: Path) -> None:
    with open_store(f"postgresql+embedded://{folder}?min_size=1") as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)

    async def again(scheme: str) -> int:
        async with open_async_store(f"{scheme}://{folder}?min_size=1") as store:
            await store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)
            return await store.head_position()

    assert asyncio.run(again("postgresql+embedded")) == 2
    assert asyncio.run(again("postgresql+asyncpg+embedded")) == 3


def test_a_folder_of_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    store = open_store("postgresql+embedded://./kept?min_size=1")
    monkeypatch.chdir("/")  # what counts is where the URL was said
    with store:
        store.initialize()
    assert (folder / "data").is_dir()


def test_wrong_urls_are_refused_before_anything_starts() -> None:
    for url in (
        "postgresql+embedded://host/path",
        "postgresql+embedded://./../path",
        "postgresql+embedded://../path",
        "postgresql+embedded://?min_size=-1",
    ):
        with pytest.raises(UsageError):
            open_store(url)
    with pytest.raises(UsageError, match="async only"):
        open_store("postgresql+asyncpg://host/db")


def test_a_container_is_started_once_and_ends_with_the_store(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is another test's; here a server that runs stands for the container."""
    told: list[str] = []

    class Container:
        def start(self) -> None:
            told.append("start")

        def stop(self) -> None:
            told.append("stop")

        def get_connection_url(self, host: str | None = None, driver: str | None = None) -> str:
            return postgres_url

    def made(image: str) -> Container:
        told.append(image)
        return Container()

    monkeypatch.setattr("mink_postgres.server.container._testcontainer", made)
    with open_store("postgresql+testcontainers://?image=postgres:17&schema=contained&min_size=1") as store:
        store.initialize()
        assert store.head_position() == 0
        store.ping()
    assert told == ["postgres:17", "start", "stop"]
    with open_store(f"{postgres_url}?schema=contained&min_size=1") as store, store.transaction() as tx:
        tx.connection.execute("DROP SCHEMA contained CASCADE")
