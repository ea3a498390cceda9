"""Hostile input is refused before anything is sent, or comes out as it went in; it never does anything else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mink_core import (
    EventFilter,
    ExpectedVersion,
    NewEvent,
    StreamAppend,
    UsageError,
)

if TYPE_CHECKING:
    from tests.adapters.doors import Door

TEXTS = [
    "'; DROP TABLE events; --",
    '"; DROP SCHEMA public CASCADE; --',
    "' OR '1'='1",
    "\\'; DELETE FROM streams; --",
    "$1",
    "$$; SELECT pg_sleep(60); $$",
    "%s %(name)s %%",
    "{schema} {filter} {0} {self.__class__}",
    "${jndi:ldap://127.0.0.1/x}",
    "order%",
    "order_",
    "order\\",
    "../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "file:///etc/passwd",
    "C:\\windows\\system32",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "[bold red]markup[/]",
    "a\u202eb\u2066c",
    "line\u2028separator\u2029",
    "\ufeffbom",
    "\U0001f9a6 otter 'quoted' \"twice\"",
    "e\u0301 is not \u00e9",
    "NULL",
    "null",
    "\\u0000",
    "\\x00",
    "E'\\000'",
    "1e999999",
    "NaN",
    "x" * 500,
    "é" * 250,
    "😀" * 250,
    "*/ SELECT 1 /*",
    "-- comment",
    "true",
]
"""Each is a legal name somewhere, so it is stored, read, listed and filtered by."""

REFUSED = [
    "",
    "log\nERROR forged line",
    "log\r\nforged",
    "\x1b[2J\x1b[31mred",
    "bell\x07",
    "nul\x00nul",
    "\x7f",
    "\x9b31m",
    "\ud800",
    "a\udfffb",
    "x" * 501,
    7,
    None,
    b"bytes",
    ["list"],
    True,
]
"""None of these is a name, of a stream, a category or a type."""

VALUES = [
    float("nan"),
    math.inf,
    -math.inf,
    2**63,
    -(2**63) - 1,
    10**400,
    {1: 2},
    {None: 1},
    (1, 2),
    {1, 2},
    b"x",
    "\x00",
    "\ud800",
    {"\x00": 1},
    object(),
    1j,
]
"""No JSON."""

ANY = ExpectedVersion.ANY


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Tally:
    """Counts what was tried, and how it ended."""

    def __init__(self) -> None:
        self.kept = 0
        self.refused = 0

    async def refuse(self, call: Any) -> None:
        """The call is a `UsageError` of one printable line."""
        try:
            result = call()
            if hasattr(result, "__await__"):
                await result
        except UsageError as error:
            self.refused += 1
            said = str(error)
        else:
            raise AssertionError(ascii(result))
        assert said.isprintable(), ascii(said)
        assert len(said) < 1000


async def done(result: Any) -> Any:
    """The result of a call of either door."""
    if hasattr(result, "__await__"):
        return await result
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return list(result) if hasattr(result, "__next__") else result


async def attack(store: Any) -> Tally:
    tally = Tally()
    canary = NewEvent("Canary", {"here": True})
    await done(store.append("canary-1", [canary], expected_version=ExpectedVersion.NO_STREAM))
    for text in TEXTS:
        event = NewEvent(text, {text: [text, {text: text}]}, {"user_id": text, text: text})
        # What begins with - has no category, and a name of 500 characters none of 250: refused as a stream.
        stream = text if len(text.partition("-")[0]) in range(1, 251) else f"s-{text[:498]}"
        result = await done(store.append(stream, [event], expected_version=ExpectedVersion.NO_STREAM))
        [read] = await done(store.read_stream(stream))
        assert (read.stream_id, read.event_type, read.data, read.metadata) == (stream, text, event.data, event.metadata)
        for where in (
            EventFilter(event_types=(text,)),
            EventFilter(stream_ids=(stream,)),
            EventFilter(metadata={text: text}),
            EventFilter(metadata={"user_id": text}),
            EventFilter(event_types=(text,), stream_ids=(stream,), metadata={text: text, "user_id": text}),
        ):
            found = await done(store.read_all(where=where))
            assert [it.global_position for it in found] == [result.first_position], where
            page = await done(store.poll(0, where=where))
            assert [it.global_position for it in page.events] == [result.first_position], where
        category = stream.partition("-")[0]
        assert stream in [it.stream_id for it in await done(store.streams(category=category))]
        assert stream in [it.stream_id for it in await done(store.read_all(where=EventFilter(categories=(category,))))]
        assert (await done(store.stream_info(stream))).version == 1
        tally.kept += 16
    stored = len(TEXTS) + 1
    for text in REFUSED:
        bad: Any = text
        await tally.refuse(lambda bad=bad: store.append(bad, [NewEvent("A", 1)], expected_version=ANY))
        await tally.refuse(lambda bad=bad: store.append_batch([StreamAppend(bad, [NewEvent("A", 1)], ANY)]))
        await tally.refuse(lambda bad=bad: store.append("a-1", [NewEvent(bad, 1)], expected_version=ANY))
        await tally.refuse(lambda bad=bad: store.read_stream(bad))
        await tally.refuse(lambda bad=bad: store.stream_info(bad))
        await tally.refuse(lambda bad=bad: store.poll(0, where=EventFilter(stream_ids=(bad,))))
        await tally.refuse(lambda bad=bad: store.poll(0, where=EventFilter(event_types=(bad,))))
        await tally.refuse(lambda bad=bad: store.read_all(where=EventFilter(categories=(bad,))))
        if bad is not None:
            await tally.refuse(lambda bad=bad: store.streams(category=bad))
    for value in [*VALUES, deep(129), deep(10_000), "x" * (100 << 20), ["x" * (1 << 20)] * 100]:
        await tally.refuse(lambda value=value: store.append("a-1", [NewEvent("A", value)], expected_version=ANY))
        await tally.refuse(lambda value=value: store.append("a-1", [NewEvent("A", [value])], expected_version=ANY))
        metadata: Any = {"key": value}
        await tally.refuse(lambda m=metadata: store.append("a-1", [NewEvent("A", 1, m)], expected_version=ANY))
    for expected in (-1, -(2**70), True, False, None, 1.0, "1", "any", [1]):
        await tally.refuse(lambda e=expected: store.append("canary-1", [NewEvent("A", 1)], expected_version=e))
    for position in (-1, True, 1.5, "0", "0; DROP TABLE events", None, 2**200):
        bad = position
        await tally.refuse(lambda bad=bad: store.poll(bad))
        await tally.refuse(lambda bad=bad: store.read_all(after_position=bad))
        await tally.refuse(lambda bad=bad: store.read_stream("canary-1", after_version=bad))
        if bad is not None:
            await tally.refuse(lambda bad=bad: store.read_stream("canary-1", limit=bad))
    [canary_read] = await done(store.read_stream("canary-1"))
    assert canary_read.data == {"here": True}
    assert len(await done(store.read_all())) == stored
    assert await done(store.check()) == []
    return tally


def test_hostile_names_values_and_filters(door: Door, record_property: Any) -> None:
    """Every text is kept exactly or refused by a `UsageError` of one line, at every door."""
    tally = door.run(attack if door.is_async else lambda store: run_now(attack(store)))
    record_property("kept", tally.kept)
    record_property("refused", tally.refused)
    assert (tally.kept, tally.refused) == (592, 239)


def run_now(coroutine: Any) -> Any:
    """Drive a coroutine that never waits: the sync doors answer at once."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError
