"""append_group() against its first edition, statement by statement (migration 0012): same answers, same tables."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mink_core import NewEvent, OutboxMessage
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDS = [UUID(int=number) for number in range(1, 9)]
MESSAGES = [UUID(int=number) for number in range(101, 105)]  # the first is known from the beginning
NEW = [f"new-{letter}" for letter in "abc"]
EMPTY = "empty-a"  # a row at version 0 and no event, as tables that were taken over may have
FIRST = "0012_append_group.sql"


class Item(NamedTuple):
    """One caller's append."""

    stream: str
    expected: int
    ids: tuple[UUID, ...]
    payload: int = 0
    message: UUID | None = None


class Seen(NamedTuple):
    """What a group came to; positions are told by the event that has them."""

    answers: list[Any]
    streams: list[Any]
    events: list[Any]
    messages: list[Any]


def items(streams: list[str]) -> st.SearchStrategy[Item]:
    ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True).map(tuple)
    messages = st.none() | st.sampled_from(MESSAGES)
    return st.builds(Item, st.sampled_from(streams), st.integers(-2, 4), ids, st.integers(0, 1), messages)


def groups(size: int) -> st.SearchStrategy[list[Item]]:
    return st.lists(items([*NEW, "soft-a", "gone-a", "old-a", "held-a", EMPTY]), min_size=1, max_size=size).map(
        lambda drawn: sorted(drawn, key=lambda item: item.stream)
    )


@pytest.fixture
def put(postgres_url: str, schema: str) -> Iterator[Callable[[str, list[list[Item]]], Seen]]:
    """Runs groups by one edition of the function, looks at the tables, and rolls all of it back."""
    with PostgresEventStore(postgres_url, schema=schema, privacy=True) as store:
        store.initialize()
        for stream in ("soft-a", "gone-a", "old-a", "held-a"):
            store.append(stream, [NewEvent("Old", {}, event_id=id_) for id_ in IDS[:2]], expected_version=0)
        store.outbox.add(OutboxMessage("t", {}, message_id=MESSAGES[0]))
        store.privacy.soft_delete("soft-a", by="test")
        store.privacy.tombstone("gone-a", by="test")
    text = files("mink_postgres").joinpath("sql/migrations", FIRST).read_text(encoding="utf-8")
    first = text.replace("{schema}.append_group(", "{schema}.append_group_first(").replace("{schema}", f'"{schema}"')
    with ExitStack() as stack:
        own, other = (stack.enter_context(psycopg.connect(postgres_url)) for _ in range(2))
        own.execute(first)  # type: ignore[arg-type]
        own.execute(
            f'INSERT INTO "{schema}".streams (stream_id, category, created_at, updated_at) '  # type: ignore[call-overload]
            f"VALUES ('{EMPTY}', 'empty', '2024-01-01Z', '2024-01-01Z')"
        )
        own.commit()
        other.execute(f"SELECT FROM \"{schema}\".streams WHERE stream_id = 'held-a' FOR UPDATE")  # type: ignore[call-overload]

        def run(function: str, rounds: list[list[Item]]) -> Seen:
            try:
                answers = [answer for group in rounds for answer in call(own, schema, function, group)]
                messages = own.execute(
                    f'SELECT message_id, stream_id FROM "{schema}".outbox ORDER BY position'  # type: ignore[call-overload]
                ).fetchall()
                streams = own.execute(
                    "SELECT s.stream_id, s.version, s.created_at = e.timestamp "
                    f'FROM "{schema}".streams AS s '  # type: ignore[call-overload]
                    f'LEFT JOIN "{schema}".events AS e ON e.stream_id = s.stream_id AND e.version = 1 ORDER BY 1'
                ).fetchall()
                events = own.execute(
                    "SELECT global_position, stream_id, version, event_id, event_type, data, metadata, "
                    "dense_rank() OVER (PARTITION BY stream_id ORDER BY timestamp), timestamp > now() "
                    f'FROM "{schema}".events ORDER BY 1'  # type: ignore[call-overload]
                ).fetchall()
            except (psycopg.errors.UniqueViolation, psycopg.errors.LockNotAvailable) as error:
                # A message id twice in a group, or a known one on a held stream: all of it is done anew, one by one.
                return Seen([type(error)], [], [], [])
            finally:
                own.rollback()
            name = {position: (stream, version) for position, stream, version, *_ in events}
            return Seen(
                [told(row[0], row[1], name.get(row[2]), name.get(row[3]), row[4]) for row in answers],
                streams,
                sorted(event[1:] for event in events),
                messages,
            )

        yield run


def call(connection: psycopg.Connection[Any], schema: str, function: str, group: list[Item]) -> list[Any]:
    events = [(id_, f'{{"n": {item.payload}}}') for item in group for id_ in item.ids]
    return connection.execute(
        f'SELECT * FROM "{schema}".{function}('  # type: ignore[call-overload]
        "%s::text[], %s::bigint[], %s::integer[], %s::uuid[], %s::text[], %s::jsonb[], %s::jsonb[], %s::json)",
        [
            [item.stream for item in group],
            [item.expected for item in group],
            [len(item.ids) for item in group],
            [id_ for id_, _ in events],
            ["Made" for _ in events],
            [data for _, data in events],
            [None for _ in events],
            messages_of(group),
        ],
    ).fetchall()


def messages_of(group: list[Item]) -> str | None:
    found = [
        {"k": k, "i": str(item.message), "d": "t", "p": {}, "h": {}, "s": item.stream, "o": False, "w": 0, "m": 3}
        for k, item in enumerate(group, 1)
        if item.message
    ]
    return json.dumps(found) if found else None


def told(outcome: str, actual: int, first: Any, last: Any, duplicate: UUID) -> tuple[Any, ...]:
    """What the caller is told of an outcome; the first edition leaves values of the item before in the rest."""
    if outcome in {"appended", "repeated"}:
        return outcome, actual, first, last
    with_id = {"duplicate", "duplicate_message"}
    return (outcome, actual) if outcome == "conflict" else (outcome, duplicate if outcome in with_id else None)


A, B, C, D = ((id_,) for id_ in IDS[2:6])


# One function-scoped fixture serves all examples: each is rolled back.
@settings(deadline=None)
@example([[Item(NEW[0], 0, A), Item(NEW[0], 0, A), Item(NEW[0], 1, B)]])  # a call repeated in its own group
@example([[Item(NEW[0], 0, A), Item(NEW[0], 0, A, 1), Item(NEW[0], -1, B)]])  # with other content
@example([[Item(NEW[0], 4, A), Item(NEW[0], -1, B), Item(NEW[0], -2, C), Item(NEW[1], 0, D)]])
@example([[Item(NEW[0], 0, A + B + C)], [Item(NEW[0], 0, A + B), Item(NEW[0], 3, D)]])  # a part of a first call
@example([[Item("held-a", -1, C), Item("held-a", 2, D), Item("old-a", 2, C), Item("old-a", 3, D)]])
@example([[Item("gone-a", -1, C), Item("gone-a", 0, D), Item("soft-a", 0, C), Item("soft-a", 3, D)]])
@example([[Item(NEW[0], 0, A), Item(NEW[0], 1, B, 0, MESSAGES[0]), Item(NEW[0], 1, C, 0, MESSAGES[1])]])  # a known one
@example(
    [[Item("old-a", 2, A, 0, MESSAGES[1])], [Item("old-a", 2, A, 0, MESSAGES[1]), Item("old-a", -1, B)]]
)  # a repeat
@example([[Item("held-a", -1, A, 0, MESSAGES[0]), Item("old-a", 2, B)]])  # known, and held elsewhere
@example([[Item(NEW[0], 0, A), Item(NEW[1], -1, B + C), Item("old-a", 2, D)]])  # all fit
@example(
    [[Item(NEW[0], 0, A)], [Item(NEW[0], 1, B + C), Item(NEW[1], 0, D), Item("old-a", -2, B), Item("soft-a", -1, C)]]
)
@example([[Item("gone-a", -1, A), Item("old-a", 2, B)]])
@example([[Item(NEW[0], -2, A), Item(NEW[0], 0, B)]])  # refused on a stream that a later item creates
@example([[Item(NEW[0], 1, A), Item(NEW[0], -2, B), Item(NEW[0], -1, C)]])
@example([[Item(EMPTY, -2, A), Item("old-a", 2, B)]])  # nothing is there, also where all else fits
@example([[Item(EMPTY, 0, A), Item("old-a", 2, B), Item("old-a", 7, C)]])  # the row's time is not its first event's
@given(st.lists(groups(8), min_size=1, max_size=3))
def both_editions_agree(put: Callable[[str, list[list[Item]]], Seen], rounds: list[list[Item]]) -> None:
    assert put("append_group", rounds) == put("append_group_first", rounds)


def test_the_same_as_the_first_edition(put: Callable[[str, list[list[Item]]], Seen]) -> None:
    both_editions_agree(put)


def test_events_and_new_streams_stand_in_the_order_of_the_items(postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema) as store:
        store.initialize()
    group = [Item(f"s-{number:03}", 0, tuple(UUID(int=100 * number + k + 1) for k in range(3))) for number in range(64)]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        answers = call(connection, schema, "append_group", group)
        stored = connection.execute(
            f'SELECT global_position, event_id FROM "{schema}".events ORDER BY 1'  # type: ignore[call-overload]
        ).fetchall()
        created = connection.execute(f'SELECT stream_id FROM "{schema}".streams ORDER BY id').fetchall()  # type: ignore[call-overload]
    assert [id_ for _, id_ in stored] == [id_ for item in group for id_ in item.ids]
    assert created == [(item.stream,) for item in group]  # in the order of locking
    assert [answer[2:4] for answer in answers] == [(stored[3 * n][0], stored[3 * n + 2][0]) for n in range(64)]


def test_a_stream_is_as_old_as_its_first_event_and_no_stamp_goes_back(postgres_url: str, schema: str) -> None:
    """In a group in which all items fit, in one in which they do not, and where the clock is behind what is stored."""
    with PostgresEventStore(postgres_url, schema=schema) as store:
        store.initialize()
    a, b, c, d = ((UUID(int=number),) for number in range(1, 5))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        run = partial(call, connection, schema, "append_group")
        assert told_of(run([Item("a-1", 0, a), Item("b-1", -1, b)])) == ["appended", "appended"]
        assert told_of(run([Item("c-1", 0, c), Item("c-1", 5, d), Item("d-1", -1, d)])) == [
            "appended",
            "conflict",
            "appended",
        ]
        connection.execute(
            f"UPDATE \"{schema}\".streams SET updated_at = now() + interval '1 hour' WHERE stream_id = 'a-1'"  # type: ignore[call-overload]
        )
        assert told_of(run([Item("a-1", 1, b + c), Item("b-1", 1, d)])) == ["appended", "appended"]
        assert told_of(run([Item("a-1", 3, d), Item("b-1", 2, a)])) == ["appended", "appended"]
        assert told_of(run([Item("b-1", 3, c), Item("d-1", 1, a)])) == ["appended", "appended"]  # last of theirs
        first, last, ahead = connection.execute(
            "SELECT bool_and(s.created_at = e.timestamp) FILTER (WHERE e.version = 1),"
            " bool_and(s.updated_at = e.timestamp) FILTER (WHERE e.version = s.version),"
            " array_agg(e.timestamp > now() ORDER BY e.version) FILTER (WHERE s.stream_id = 'a-1')"
            f' FROM "{schema}".events AS e JOIN "{schema}".streams AS s USING (stream_id)'  # type: ignore[call-overload]
        ).fetchall()[0]
        stamps = connection.execute(
            f"SELECT count(DISTINCT timestamp), count(*) FROM \"{schema}\".events WHERE stream_id = 'a-1'"  # type: ignore[call-overload]
        ).fetchall()
    assert (first, last, ahead) == (True, True, [False, True, True, True])
    assert stamps == [(3, 4)]  # an append has one stamp, which no other of its stream has


def told_of(answers: list[Any]) -> list[str]:
    return [answer[0] for answer in answers]
