"""The administration of a JetStream store has all that an operator may ask for, or says why not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mink_core import SchemaError, UsageError
from mink_core.administration import Administration
from mink_core.cli.app import app
from mink_core.registry import open_administration
from mink_jetstream import JetStreamEventStore


def _names(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_no_method_of_an_administration_is_missing(store: JetStreamEventStore, url: str) -> None:
    with open_administration(url) as administration:
        assert {name for name in _names(Administration) if not hasattr(administration, name)} == set()
        with pytest.raises(UsageError, match=r"no partitions.*nothing was changed"):
            administration.partition(4)
        with pytest.raises(UsageError, match=r"as they were written.*nothing was changed"):
            administration.change_payloads("json")


def test_partitions_and_types_are_refused_on_the_command_line(store: JetStreamEventStore, url: str) -> None:
    for command in (["partition", "4"], ["payloads", "json"]):
        said = CliRunner().invoke(app, ["--store", url, *command], prog_name="mink")
        assert said.exit_code == 2
        assert "unexpected" not in said.stderr


def test_a_store_that_is_not_there_says_what_to_do(url: str) -> None:
    with JetStreamEventStore(url) as store, pytest.raises(SchemaError, match="run `mink init`"):
        store.head_position()
