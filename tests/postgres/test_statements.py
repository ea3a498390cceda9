"""The SQL texts that the programs ask for by name."""

from __future__ import annotations

from importlib.resources import files

import pytest

from mink_core import UsageError
from mink_postgres.statements import Statements


def test_each_statement_is_a_file_of_its_name() -> None:
    on_file = {
        entry.name.removesuffix(".sql")
        for entry in files("mink_postgres").joinpath("sql").iterdir()
        if "." in entry.name
    }
    asked = {name.lstrip("_") for name in Statements.__annotations__}
    assert asked == on_file
    sql = Statements("s")
    assert all('"s"' in getattr(sql, name) for name in Statements.__annotations__ if not name.startswith("_"))
    assert "{" not in sql.read_outbox("true") + sql.find_sagas("") + sql.scan_end(backward=True)


@pytest.mark.parametrize("name", ["", "1a", 'a"b', "a" * 64, "ä", None])
def test_a_schema_s_name_needs_no_quoting(name: object) -> None:
    with pytest.raises(UsageError, match="a schema's name"):
        Statements(name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
