"""The start path by a container: with a stand-in everywhere, with a real engine where one answers."""

from __future__ import annotations

import gc

import psycopg
import pytest

from mink_postgres import PostgresEventStore
from mink_postgres.server import ContainerServer, EmbeddedServer, ServerUnavailableError, postgres_for_tests


class StandIn:
    """Has the shape of testcontainers' PostgresContainer, and an embedded server inside."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.server: EmbeddedServer | None = None

    def start(self) -> StandIn:
        self.server = EmbeddedServer.start()
        return self

    def stop(self) -> None:
        assert self.server is not None
        self.server.stop()

    def get_connection_url(self, host: str | None = None, driver: str | None = None) -> str:
        assert self.server is not None
        return self.server.url().replace("postgresql://", "postgresql+psycopg2://")


def test_a_container_serves_a_store() -> None:
    made: list[StandIn] = []

    def make(image: str) -> StandIn:
        made.append(StandIn(image))
        return made[-1]

    with ContainerServer.start(make=make) as server:
        with PostgresEventStore(server.url(), min_size=1) as store:
            store.initialize()
            assert store.head_position() == 0
        url = server.url()
    assert made[0].image.startswith("postgres:")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_an_engine_that_does_not_answer_is_told_in_its_own_words() -> None:
    def make(image: str) -> StandIn:
        raise ConnectionError("cannot connect to the engine's socket")

    with pytest.raises(ServerUnavailableError, match="cannot connect to the engine's socket"):
        ContainerServer.start(make=make)


def start_or_reason() -> ContainerServer | str:
    try:
        return ContainerServer.start()
    except ServerUnavailableError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_real_engine() -> None:
    server = start_or_reason()
    if isinstance(server, str):
        gc.collect()  # the engine's client leaves its socket open when nobody answers
        pytest.skip(server)
    with server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_url_that_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINK_POSTGRES_URL", "postgresql://given")
    with postgres_for_tests() as url:
        assert url == "postgresql://given"
