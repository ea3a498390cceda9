"""Operations as generators that do no I/O: they yield queries and are sent rows.

One program serves psycopg, its async twin and asyncpg; only `run` and `run_async` differ. (The way
psycopg itself shares its protocol code, see its `generators.py`.) After a database error a program
is closed: the transaction is gone, so there is nothing left for it to do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True, gc=False):
    """One statement in PostgreSQL's own `$1` notation."""

    sql: str
    args: tuple[Any, ...] = ()
    retry_is_safe: bool | None = None
    """None for a statement that stores nothing; else whether repeating the same call is safe."""
    is_script: bool = False
    """Several statements without arguments; gives no rows."""


Row: TypeAlias = Sequence[Any]
Rows: TypeAlias = Sequence[Row]
Program: TypeAlias = Generator[Query, Rows, T]


def ask(query: Query) -> Program[None]:
    """The program of one query, whose rows nobody wants."""
    yield query


def run(program: Program[T], fetch: Callable[[Query], Rows]) -> T:
    """Drive a program to its end and return its result."""
    try:
        query = next(program)
        while True:
            query = program.send(fetch(query))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        program.close()


async def run_async(program: Program[T], fetch: Callable[[Query], Awaitable[Rows]]) -> T:
    """`run` for asyncio."""
    try:
        query = next(program)
        while True:
            query = program.send(await fetch(query))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        program.close()
