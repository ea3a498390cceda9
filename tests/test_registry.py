"""Adapters are chosen by URL; what is wrong is said, and how to mend it."""

from __future__ import annotations

import builtins
import inspect
import sys
from importlib.metadata import EntryPoint

import pytest

import mink_core
from mink_core import (
    AdapterNotInstalledError,
    AsyncStore,
    Store,
    UnknownAdapterError,
    UsageError,
    known_schemes,
    open_async_store,
    open_store,
    registry,
)
from mink_memory import AsyncMemoryEventStore, MemoryEventStore
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore


def test_an_unknown_scheme_lists_the_known() -> None:
    with pytest.raises(UnknownAdapterError) as unknown:
        open_store("mongodb://user:hunter2@host")
    assert "memory://" in str(unknown.value)
    assert "postgresql+asyncpg://" in str(unknown.value)
    assert "hunter2" not in str(unknown.value)
    assert isinstance(unknown.value, LookupError)
    for wrong in ("", "memory", None, 3):
        with pytest.raises(UsageError, match="known schemes"):
            open_store(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://host", "psycopg", "postgres"),
        ("postgresql+asyncpg://host", "asyncpg", "asyncpg"),
    ],
)
def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str) -> None:
    real = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args)  # type: ignore[arg-type]

    for name in [name for name in sys.modules if name.startswith("mink_postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AdapterNotInstalledError, match=rf"pip install 'mink-eventstore\[{extra}\]'") as missing:
        open_async_store(url)
    assert isinstance(missing.value, ImportError)
    assert missing.value.extra == extra


def test_an_adapter_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own import error is not mistaken for a missing extra of ours."""
    third = EntryPoint("third", "mink_memory.adapter", registry.GROUP)
    broken = EntryPoint("broken", "no_such_module_anywhere", registry.GROUP)

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in (third, broken) if name in (None, point.name) and group == registry.GROUP]

    monkeypatch.setattr(registry, "entry_points", found)
    assert known_schemes() == ["broken", "third"]
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        open_store("broken://")


def test_opening_does_no_io() -> None:
    store = open_store("postgresql://nobody@127.0.0.1:1/none")
    assert mink_core.Capability.SUBSCRIBE in store.capabilities
    store.close()


def public(kind: type) -> dict[str, list[str]]:
    """Names, and their parameters, of what a protocol asks for."""
    shape = {}
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            shape[name] = [] if isinstance(member, property) else list(inspect.signature(member).parameters)
    return shape


@pytest.mark.parametrize(
    ("sync", "awaited"),
    [
        (Store, AsyncStore),
        (mink_core.Transaction, mink_core.AsyncTransaction),
        (mink_core.Subscription, mink_core.AsyncSubscription),
        (PostgresEventStore, AsyncPostgresEventStore),
        (MemoryEventStore, AsyncMemoryEventStore),
    ],
)
def test_both_doors_have_the_same_shape(sync: type, awaited: type) -> None:
    assert public(sync) == public(awaited)


@pytest.mark.parametrize(
    ("protocol", "kinds"),
    [(Store, [PostgresEventStore, MemoryEventStore]), (AsyncStore, [AsyncPostgresEventStore, AsyncMemoryEventStore])],
)
def test_adapters_have_what_the_protocol_asks_for(protocol: type, kinds: list[type]) -> None:
    for kind in kinds:
        have = public(kind)
        for name, parameters in public(protocol).items():
            assert have.get(name) == parameters, f"{kind.__name__}.{name}"
