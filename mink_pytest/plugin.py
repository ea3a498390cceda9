"""The pytest plugin: an empty store for each test, on the adapter that the run names.

| fixture | what it gives |
|---|---|
| `mink_store` | an open `mink_core.Store`, initialized and empty |
| `mink_async_store` | its async twin, open in the event loop of the test |
| `mink_store_url` | the URL of that store, for code that opens its own |
| `mink_store_options` | keywords for `open_store`, such as `transforms`; override it |

Which adapter: the marker `@pytest.mark.mink_store(URL, …)`, else `--mink-store URL`, else the environment's
`MINK_TEST_STORE`, else the ini option `mink_store`, else `memory://`. A test runs once for each URL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from mink_core import AsyncStore, Store
    from mink_pytest.places import Places

ENVIRONMENT = "MINK_TEST_STORE"
"""URLs, with blanks between them. Another name than the command line's: tests must not find production."""

_IN_MEMORY = "memory://"
_PLACE = "_mink_place"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the option and its ini twin."""
    group = parser.getgroup("mink-store", "stores for tests (Mink)")
    group.addoption(
        "--mink-store",
        action="append",
        metavar="URL",
        help="where mink_store and mink_async_store are opened; given again, tests run once for each. "
        f"Default: ${ENVIRONMENT}, else the ini option mink_store, else {_IN_MEMORY}",
    )
    parser.addini("mink_store", "URLs for mink_store and mink_async_store, one a line", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, and speak with pytest-asyncio where it is there."""
    config.addinivalue_line("markers", "mink_store(*urls): run the test on the stores of these URLs")
    if config.pluginmanager.hasplugin("asyncio"):
        from mink_pytest import asyncio_loops  # noqa: PLC0415 -- it imports pytest-asyncio

        config.pluginmanager.register(asyncio_loops, "mink_asyncio_loops")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test a URL, where there are several."""
    if _PLACE not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("mink_store")
    urls = [str(url) for url in marker.args] if marker else _chosen(metafunc.config)
    if marker or len(urls) > 1:
        # The scheme alone: a URL may hold a password.
        metafunc.parametrize(_PLACE, urls, indirect=True, ids=[url.partition("://")[0] for url in urls])


def _chosen(config: pytest.Config) -> list[str]:
    given: list[str] = config.getoption("--mink-store") or os.environ.get(ENVIRONMENT, "").split()
    return given or [line for line in config.getini("mink_store") if line] or [_IN_MEMORY]


@pytest.fixture(scope="session")
def _mink_places() -> Generator[Places]:  # pyright: ignore[reportUnusedFunction] -- pytest finds it
    """Every server that was started for the run; they end with it."""
    from mink_pytest.places import Places  # noqa: PLC0415 -- see the package

    with Places() as places:
        yield places


@pytest.fixture
def _mink_place(request: pytest.FixtureRequest) -> str:  # pyright: ignore[reportUnusedFunction] -- pytest finds it
    """The URL that the run chose."""
    # Not `or`: a marker's empty URL, of a variable that is not set say, is an error and no leave to take another store.
    return str(request.param if hasattr(request, "param") else _chosen(request.config)[0])


@pytest.fixture
def mink_store_url(_mink_places: Places, _mink_place: str) -> Generator[str]:
    """The URL of a store of the test's own, empty and not initialized; what is in it is dropped afterwards."""
    with _mink_places.empty(_mink_place) as url:
        yield url


@pytest.fixture
def mink_store_options() -> dict[str, Any]:
    """Keywords for `open_store`. Override this fixture to give some."""
    return {}


@pytest.fixture
def mink_store(mink_store_url: str, mink_store_options: dict[str, Any]) -> Generator[Store]:
    """An open store of the test's own: initialized, empty, dropped afterwards."""
    from mink_pytest.places import opened  # noqa: PLC0415 -- see the package

    with opened(mink_store_url, mink_store_options) as store:
        yield store


@pytest.fixture
def mink_async_store(
    request: pytest.FixtureRequest, mink_store_url: str, mink_store_options: dict[str, Any]
) -> AsyncStore:
    """The async twin of `mink_store`, open in the event loop that pytest-asyncio or anyio runs the test in.

    In a test that neither of them runs it is initialized and not open: enter it in a loop of your own,
    `async with mink_async_store as store`.
    """
    store: AsyncStore
    if "anyio_backend" in request.fixturenames:
        store = request.getfixturevalue("_mink_async_store_by_anyio")
    elif loop := _loop_of(request):
        store = request.getfixturevalue(f"_mink_async_store_in_{loop}_loop")
    else:
        from mink_pytest.places import initialized  # noqa: PLC0415 -- see the package

        store = initialized(mink_store_url, mink_store_options)
    return store


@pytest.fixture
async def _mink_async_store_by_anyio(  # pyright: ignore[reportUnusedFunction] -- asked for by name
    anyio_backend: Any,  # noqa: ARG001 -- by this anyio knows that it is to run the fixture
    mink_store_url: str,
    mink_store_options: dict[str, Any],
) -> AsyncGenerator[AsyncStore]:
    from mink_pytest.places import opened_async  # noqa: PLC0415 -- see the package

    async with opened_async(mink_store_url, mink_store_options) as store:
        yield store


def _loop_of(request: pytest.FixtureRequest) -> str | None:
    """The scope of the loop that pytest-asyncio runs the test in; None where it does not."""
    marker = request.node.get_closest_marker("asyncio")
    if marker is None or not request.config.pluginmanager.hasplugin("asyncio"):
        return None
    return str(marker.kwargs.get("loop_scope") or request.config.getini("asyncio_default_test_loop_scope"))
