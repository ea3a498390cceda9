"""A store in memory that outlives the command, and the command run on it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mink_core import Store, open_store
from mink_core.cli.app import app

Mink = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_store_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINK_STORE_URL", raising=False)


@pytest.fixture
def url() -> str:
    return f"memory://cli-{uuid.uuid4().hex}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def mink(url: str) -> Mink:
    def run(*args: str, given: str | bytes | None = None, store_url: str | None = url) -> Result:
        before = [] if store_url is None else ["--store", store_url]
        return CliRunner().invoke(app, [*before, *args], input=given, prog_name="mink")

    return run


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def jsonl(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
