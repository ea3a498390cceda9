"""The same random calls on memory and on PostgreSQL have the same outcomes, call by call."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mink_core import (
    AppendResult,
    Direction,
    EventFilter,
    ExpectedVersion,
    MinkError,
    NewEvent,
    Page,
    StoredEvent,
    StreamAppend,
    StreamInfo,
    open_store,
)

# Ids that collide as prefixes, under LIKE, under case folding and under normalisation.
STREAMS = ["a-1", "a-10", "a", "A-1", "a_1", "a%-1", "ab-1", "é-1", "e\u0301-1", "a-1'--", "a\\-1", "🎈-" + "x" * 300]
CATEGORIES = ["a", "A", "a_1", "a%", "ab", "é", "e\u0301", "a\\", "🎈", "none"]
TYPES = ["Made", "made", "Ma_e", "M%", 'Ma"de']
SCALARS = [1, 1.0, True, None, "1", 0.1, 10**16, 1e16, "é"]
IDS = [uuid.UUID(int=number) for number in range(1, 13)]

events = st.builds(
    NewEvent,
    st.sampled_from(TYPES),
    st.sampled_from([{"k": 1}, {"k": 1.0}, [], "x", 1e16]),
    st.none() | st.dictionaries(st.sampled_from(["u", "t"]), st.sampled_from(SCALARS), max_size=2),
    st.sampled_from(IDS) | st.uuids(version=4),
)
expected = st.sampled_from([*ExpectedVersion, 0, 1, 2, 3])
appends = st.tuples(st.just("append"), st.sampled_from(STREAMS), st.lists(events, min_size=1, max_size=3), expected)
items = st.builds(StreamAppend, st.sampled_from(STREAMS), st.lists(events, min_size=1, max_size=2), expected)
batches = st.tuples(st.just("append_batch"), st.lists(items, min_size=1, max_size=3))
repeats = st.tuples(st.just("repeat"), st.integers(0, 20))
limits = st.none() | st.integers(0, 4)
directions = st.sampled_from(list(Direction))
filters = st.builds(
    EventFilter,
    st.lists(st.sampled_from(TYPES), max_size=2).map(tuple),
    st.lists(st.sampled_from(STREAMS), max_size=2).map(tuple),
    st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["u", "t"]), st.sampled_from(SCALARS), max_size=1),
)
reads = st.one_of(
    st.tuples(st.just("read_stream"), st.sampled_from(STREAMS), st.integers(0, 3), limits, directions),
    st.tuples(st.just("read_all"), st.integers(0, 6), limits, filters, directions),
    st.tuples(st.just("poll"), st.integers(0, 6), st.integers(0, 4), filters),
    st.tuples(
        st.just("streams"), st.none() | st.sampled_from(CATEGORIES), st.none() | st.sampled_from(STREAMS), limits
    ),
    st.tuples(st.just("stream_info"), st.sampled_from(STREAMS)),
    st.tuples(st.just("head_position")),
)
programs = st.lists(st.one_of(appends, appends, batches, repeats, reads, reads), min_size=3, max_size=25)


class Player:
    """Plays a program on one store; positions are told by their rank, as stores may leave holes."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.calls: list[tuple[Any, ...]] = []
        self.base = store.head_position()

    def rank(self, position: int | None) -> int | None:
        if not position:
            return position
        if not hasattr(self, "ranks") or position not in self.ranks:
            self.ranks = {e.global_position: n for n, e in enumerate(self.store.read_all(), 1)}
        return self.ranks.get(position, position)

    def position(self, rank: int) -> int:
        known = [event.global_position for event in self.store.read_all()]
        return known[rank - 1] if 0 < rank <= len(known) else (known[-1] if known and rank else 0)

    def play(self, step: tuple[Any, ...]) -> Any:
        name, *args = step
        try:
            return self.plain(getattr(self, f"do_{name}")(*args))
        except MinkError as error:
            fields = {key: value for key, value in vars(error).items() if key in ("stream_id", "expected", "actual")}
            return (type(error).__name__, fields, getattr(error, "event_id", None))

    def do_append(self, stream: str, new: list[NewEvent], expectation: Any) -> Any:
        self.calls.append(("append", stream, new, expectation))
        return self.store.append(stream, new, expected_version=expectation)

    def do_append_batch(self, batch: list[StreamAppend]) -> Any:
        self.calls.append(("append_batch", batch))
        return self.store.append_batch(batch)

    def do_repeat(self, number: int) -> Any:
        if not self.calls:
            return None
        name, *args = self.calls[number % len(self.calls)]
        return getattr(self, f"do_{name}")(*args)

    def do_read_stream(self, stream: str, after: int, limit: int | None, direction: Direction) -> Any:
        return list(self.store.read_stream(stream, after_version=after, limit=limit, direction=direction))

    def do_read_all(self, after: int, limit: int | None, where: EventFilter, direction: Direction) -> Any:
        after = self.position(after)
        return list(self.store.read_all(after_position=after, limit=limit, where=where, direction=direction))

    def do_poll(self, after: int, limit: int, where: EventFilter) -> Any:
        return self.store.poll(self.position(after), limit=limit, where=where)

    def do_streams(self, category: str | None, after: str | None, limit: int | None) -> Any:
        return list(self.store.streams(category=category, after=after, limit=limit))

    def do_stream_info(self, stream: str) -> Any:
        return self.store.stream_info(stream)

    def do_head_position(self) -> Any:
        return ("head", self.rank(self.store.head_position()))

    def plain(self, result: Any) -> Any:
        """What must be the same: everything but clocks and absolute positions."""
        if isinstance(result, list):
            return [self.plain(item) for item in result]
        if isinstance(result, StoredEvent):
            data = (repr(result.data), repr(sorted(result.metadata.items())))
            return (
                result.stream_id,
                result.version,
                self.rank(result.global_position),
                result.event_id,
                result.event_type,
                data,
            )
        if isinstance(result, AppendResult):
            return (result.stream_id, result.first_version, result.last_version, self.rank(result.first_position), self.rank(result.last_position), result.event_ids)  # fmt: skip
        if isinstance(result, Page):
            return (self.plain(list(result.events)), self.rank(result.next_position))
        if isinstance(result, StreamInfo):
            return (result.stream_id, result.category, result.version, result.deleted_at)
        return result


@pytest.mark.parametrize(("unique", "json_type"), [(False, "jsonb"), (True, "jsonb"), (False, "json")])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs)
def test_memory_and_postgresql_agree(
    postgres_url: str, schema: str, unique: bool, json_type: str, program: list[Any]
) -> None:
    url = f"{postgres_url}?schema={schema}&min_size=1&unique_event_ids={str(unique).lower()}&json_type={json_type}"
    with (
        open_store("memory://", unique_event_ids=unique) as memory,
        open_store(url) as postgres,
    ):
        memory.initialize()
        postgres.initialize()
        with postgres.transaction() as tx:
            tx.connection.execute(
                f'SELECT "{schema}".allow_rewriting(); TRUNCATE "{schema}".events, "{schema}".streams RESTART IDENTITY'
            )
        players = [Player(memory), Player(postgres)]
        for number, step in enumerate(program):
            outcomes = [player.play(step) for player in players]
            assert outcomes[0] == outcomes[1], f"step {number}: {step}"
        assert players[0].play(("read_all", 0, None, EventFilter(), Direction.FORWARD)) == players[1].play(
            ("read_all", 0, None, EventFilter(), Direction.FORWARD)
        )
        assert postgres.check() == []
