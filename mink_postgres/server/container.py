"""PostgreSQL in a container, by testcontainers, for those who prefer it to an embedded one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from mink_core.forks import FORKS
from mink_core.servers import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

IMAGE = "postgres:18-alpine"


class Container(Protocol):
    """What is used of `testcontainers.postgres.PostgresContainer`."""

    def start(self) -> Any:
        """Start it and wait until it answers."""
        ...

    def stop(self) -> None:
        """Stop and remove it."""
        ...

    def get_connection_url(self, host: str | None = None, driver: str | None = None) -> str:
        """A URL; without a driver's name in its scheme where `driver` is None."""
        ...


class ContainerServer:
    """A server in a container, gone at `stop`."""

    def __init__(self, container: Container) -> None:
        """Use `start`."""
        self._container = container
        self._forks = FORKS.count

    @classmethod
    def start(cls, image: str = IMAGE, *, make: Callable[[str], Container] | None = None) -> Self:
        """Start a container.

        Args:
            image: Which image of PostgreSQL.
            make: Makes the container for an image; testcontainers' own when not given.

        Raises:
            ServerUnavailableError: testcontainers is not installed, or its engine does not answer.
        """
        try:
            container = (make or _testcontainer)(image)
            container.start()
        except ImportError as error:
            problem = f"testcontainers is not installed ({error}): pip install 'testcontainers[postgres]'"
            raise ServerUnavailableError(problem) from error
        except Exception as error:  # the engine's client raises whatever its transport does
            problem = f"no container engine answered: {type(error).__name__}: {error}"
            raise ServerUnavailableError(problem) from error
        return cls(container)

    def url(self) -> str:
        """A URL for psycopg and asyncpg."""
        scheme, _, rest = self._container.get_connection_url(driver=None).partition("://")
        return f"{scheme.partition('+')[0]}://{rest}"

    def stop(self) -> None:
        """Stop and remove the container; a process that was forked leaves it to its parent."""
        if self._forks == FORKS.count:
            self._container.stop()

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _testcontainer(image: str) -> Container:
    try:
        from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 -- optional
    except ModuleNotFoundError:  # before 4.15
        from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 -- optional

    container: Container = PostgresContainer(image, driver=None)
    return container
