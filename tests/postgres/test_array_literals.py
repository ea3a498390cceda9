"""The text of an array, by the server's own reading of it: what goes in comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mink_core import UsageError
from mink_core.json_codec import encode_json
from mink_core.limits import check_destination, check_event_type, check_stream_id
from mink_postgres.programs.append_group import array_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Whatever a name may hold: no control character and no lone surrogate.
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")))
ODD = [
    "",
    " ",
    "null",
    "NULL",
    "Null",
    "{}",
    "}",
    ",",
    '"',
    '\\"',
    "\\",
    "\\\\",
    "a b ",
    "é漢🎈",
    "\u2028",
    "\\n",
    "\\u0041",
]


@pytest.fixture(scope="module")
def read(postgres_url: str) -> Iterator[Callable[[list[Any], str], list[Any]]]:
    """The server's reading of a literal as an array of a type."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def ask(values: list[Any], kind: str) -> list[Any]:
            cursor = connection.execute(f"SELECT to_json(%s::text::{kind}[])", (array_literal(values),))  # type: ignore[call-overload]
            found: list[Any] = cursor.fetchone()[0]
            return found

        yield ask


@settings(deadline=None)
@given(st.lists(NAMES | st.none()))
@example(ODD)
def test_texts(read: Callable[[list[Any], str], list[Any]], values: list[Any]) -> None:
    assert read(values, "text") == values


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers(read: Callable[[list[Any], str], list[Any]], values: list[int]) -> None:
    assert read(values, "bigint") == values


@settings(deadline=None)
@given(st.lists(st.floats(0, 315_360_000)), st.lists(st.booleans()))
def test_floats_and_booleans(
    read: Callable[[list[Any], str], list[Any]], floats: list[float], flags: list[bool]
) -> None:
    assert read(floats, "float8") == floats
    assert read(flags, "boolean") == flags


@settings(deadline=None)
@given(st.lists(st.recursive(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), st.lists)))
@example(["\n\t\r\b\f\x01\x1f\x7f", '\\n"\\\\'])
def test_json_with_any_letter_in_it(read: Callable[[list[Any], str], list[Any]], values: list[Any]) -> None:
    """A control character stands in JSON as an escape, whose backslash is a letter of the array's text."""
    assert read([encode_json(value) for value in values], "jsonb") == values


@pytest.mark.parametrize("check", [check_stream_id, check_event_type, check_destination])
@pytest.mark.parametrize("letter", [chr(number) for number in range(0x20)])
def test_no_name_has_a_control_character(check: Callable[[object], str], letter: str) -> None:
    """Which JSON would write as an escape that the server reads as another letter."""
    with pytest.raises(UsageError, match="control characters"):
        check(f"a{letter}b")
