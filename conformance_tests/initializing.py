"""A process that initializes a store and ends: for the check that several may do so at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conformance_tests.lab import Lab
from conformance_tests.target import Target, target_of
from mink_core import open_async_store, open_store

if TYPE_CHECKING:
    from mink_core import AsyncEventStore, EventStore


def main(spec: str, namespace: str) -> None:
    """Open the store that a spec leads to, a URL of the namespace itself, and initialize it."""
    target = target_of(spec) if "://" not in spec else Target(spec, lambda _: _open(spec))
    with Lab(target) as lab:
        lab.open(namespace)


def _open(url: str) -> EventStore | AsyncEventStore:
    try:
        return open_store(url)
    except Exception:  # noqa: BLE001 -- an adapter that is async only says so in its own way
        return open_async_store(url)


if __name__ == "__main__":
    main(*sys.argv[1:])
