"""A change of what users import is seen, and meant."""

from __future__ import annotations

import difflib

import pytest

from tests import public_api


def test_the_public_api_is_as_written() -> None:
    written, found = public_api.PATH.read_text("utf-8"), public_api.text()
    changes = "\n".join(
        difflib.unified_diff(written.splitlines(), found.splitlines(), "tests/api.txt", "now", lineterm="")
    )
    assert not changes, f"what users import has changed; if that is meant: python -m tests.public_api\n{changes}"


def test_a_change_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = public_api.text()
    assert "def open_store(url: str, **options: Any) -> Store" in before

    def open_store(url: str) -> None: ...

    monkeypatch.setattr("mink_core.open_store", open_store)
    assert "def open_store(url: str) -> None" in public_api.text()
    monkeypatch.delattr("mink_core.subscriber.Store.check")
    assert public_api.text().count("def check(self)") < before.count("def check(self)")
