"""Options that cannot work are refused where the store is made, in the same words from a URL and as keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import UsageError, open_async_store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

DOORS = [
    pytest.param(open_store, "postgresql", id="sync"),
    pytest.param(open_async_store, "postgresql", id="psycopg"),
    pytest.param(open_async_store, "postgresql+asyncpg", id="asyncpg"),
]


@pytest.mark.parametrize(("door", "scheme"), DOORS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lock_timeout", "nan"),
        ("lock_timeout", "inf"),
        ("lock_timeout", "0"),
        ("lock_timeout", "-1"),
        ("lock_timeout", "2147484"),  # the server's milliseconds end before
        ("pool_timeout", "nan"),
        ("pool_timeout", "inf"),
        ("pool_timeout", "0"),
        ("max_size", "0"),
        ("max_size", "262144"),  # asyncpg makes a place for each
        ("min_size", "-1"),
        ("min_size", "26"),
    ],
)
def test_a_number_that_cannot_work(door: Callable[..., Any], scheme: str, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        door(f"{scheme}://localhost/app?{name}={value}")
    with pytest.raises(UsageError, match=name):
        door(f"{scheme}://localhost/app", **{name: float(value) if "timeout" in name else int(value)})


@pytest.mark.parametrize(("door", "scheme"), DOORS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wakeups", "false"),  # true, as any text
        ("group_commits", 0),
        ("privacy", None),
        ("min_size", "5"),
        ("max_size", 5.0),
        ("min_size", True),
        ("lock_timeout", "5"),
        ("pool_timeout", True),
        ("schema", 5),
        ("direct_url", None),
        ("hash_partitions", "4"),
    ],
)
def test_a_keyword_of_another_type(door: Callable[..., Any], scheme: str, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"option {name} must be of type .*; nothing was opened"):
        door(f"{scheme}://localhost/app", **{name: value})


def test_bounds_are_within() -> None:
    bounds = {"lock_timeout": 2_147_483, "pool_timeout": 0.001, "min_size": 0, "max_size": 262_143}
    open_store("postgresql://localhost/app", **bounds)
