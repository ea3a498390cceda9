"""Programs as Hypothesis draws them: small ones first, so that a failing one shrinks to a few calls.

Each emphasis aims at one kind of fault. What an adapter does not declare is not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypothesis import strategies as st

from conformance_tests.histories.program import (
    Again,
    Append,
    Batch,
    Expect,
    Follower,
    Head,
    Info,
    Poll,
    Program,
    Read,
    ReadAll,
    Transact,
    Wait,
)
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hypothesis.strategies import DrawFn, SearchStrategy

    from conformance_tests.histories.program import Op

Emphasis: TypeAlias = Literal["races", "repeats", "batches", "transactions", "readers", "subscriptions"]

MAX_ACTORS = 6
"""With two followers, eight callers in all."""
_STREAMS = 3

# How often each kind of call is drawn, by emphasis.
_MIX: dict[Emphasis, dict[str, int]] = {
    "races": {"append": 6, "again": 1, "read": 2, "info": 1, "poll": 1},
    "repeats": {"append": 2, "shared": 5, "again": 5, "read": 1},
    "batches": {"batch": 6, "append": 2, "read": 2, "poll": 1},
    "transactions": {"transact": 5, "append": 3, "read": 2, "poll": 2},
    "readers": {"append": 5, "batch": 1, "transact": 3, "poll": 4, "read_all": 2, "backward": 2, "head": 3},
    "subscriptions": {"append": 6, "batch": 1, "transact": 3, "wait": 2},
}
_NEEDS = {"batch": Capability.APPEND_BATCH, "transact": Capability.TRANSACTIONS, "backward": Capability.BACKWARDS}


@st.composite
def programs(draw: DrawFn, emphasis: Emphasis, capabilities: Collection[Capability]) -> Program:
    """Programs of one emphasis, for an adapter with these capabilities."""
    actors = draw(st.integers(2, 4 if emphasis == "subscriptions" else MAX_ACTORS))
    rounds = draw(st.integers(1, 4))
    mix = {kind: weight for kind, weight in _MIX[emphasis].items() if _NEEDS.get(kind) in {None, *capabilities}}
    kinds = [kind for kind, weight in mix.items() for _ in range(weight)]
    most = 8 if emphasis == "subscriptions" else 3
    live = Capability.SUBSCRIBE in capabilities
    return Program(
        rounds=tuple(
            draw(_race(emphasis, actors, number) if _may_race(draw, emphasis) else _round(actors, most, kinds))
            for number in range(rounds)
        ),
        followers=draw(_followers(emphasis, live=live)),
        streams=_STREAMS,
    )


def _may_race(draw: DrawFn, emphasis: Emphasis) -> bool:
    return emphasis in {"races", "repeats"} and draw(st.booleans())


@st.composite
def _round(draw: DrawFn, actors: int, most: int, kinds: list[str]) -> tuple[tuple[Op, ...], ...]:
    sizes = [draw(st.integers(1, most)) for _ in range(actors)]
    return tuple(tuple(draw(_OPS[draw(st.sampled_from(kinds))]()) for _ in range(size)) for size in sizes)


@st.composite
def _race(draw: DrawFn, emphasis: Emphasis, actors: int, number: int) -> tuple[tuple[Op, ...], ...]:
    """The same call by everybody at once; on a stream that does not exist yet, sometimes, so that all race to make it."""
    stream = draw(st.integers(0, _STREAMS - 1))
    expects: list[Expect] = ["seen", "fresh", "no_stream", "any"]
    expect = draw(st.sampled_from(expects if emphasis == "races" else expects[:3]))
    shared = None if emphasis == "races" else number
    return ((Append(stream, draw(st.integers(1, 2)), expect, shared),),) * actors


_stream = st.integers(0, _STREAMS - 1)
_count = st.integers(1, 3)
_expects: list[Expect] = ["seen", "fresh", "any", "seen", "no_stream", "stream_exists", "ahead"]
_expect = st.sampled_from(_expects)


def _append() -> SearchStrategy[Append]:
    return st.builds(Append, _stream, _count, _expect)


def _shared() -> SearchStrategy[Append]:
    # Few numbers, and one size and stream for each: the very same call by several actors.
    exact: list[Expect] = ["seen", "fresh", "no_stream"]
    return st.builds(_the_shared, st.integers(0, 5), st.sampled_from(exact))


def _the_shared(number: int, expect: Expect) -> Append:
    return Append(number % _STREAMS, 1 + number % 2, expect, 10 + number)


def _batch() -> SearchStrategy[Batch]:
    return st.builds(Batch, st.lists(_append(), min_size=1, max_size=4).map(tuple))


@st.composite
def _transact(draw: DrawFn) -> Transact:
    size = draw(st.integers(1, 3))
    appends = [draw(st.builds(Append, _stream, _count, _expect)) for _ in range(size)]
    # All transactions write streams in one order, so that none waits for another in a circle.
    steps: list[Append | Read | Poll] = [*sorted(appends, key=_stream_of)]
    if draw(st.booleans()):
        steps.insert(draw(st.integers(0, size)), draw(st.one_of(st.builds(Read, _stream), st.just(Poll(1000)))))
    milliseconds = draw(st.sampled_from([0.0, 0.5, 2.0, 6.0]))
    return Transact(tuple(steps), milliseconds, draw(st.sampled_from([True, True, False])))


def _stream_of(append: Append) -> int:
    return append.stream


def _poll() -> SearchStrategy[Poll]:
    return st.builds(Poll, st.sampled_from([100, 1, 2, 5]), st.sampled_from([False, False, True]))


_OPS: dict[str, Callable[[], SearchStrategy[Any]]] = {
    "append": _append,
    "shared": _shared,
    "batch": _batch,
    "transact": _transact,
    "again": lambda: st.just(Again()),
    "read": lambda: st.builds(Read, _stream),
    "info": lambda: st.builds(Info, _stream),
    "poll": _poll,
    "read_all": lambda: st.just(ReadAll()),
    "backward": lambda: st.just(ReadAll(backward=True)),
    "head": lambda: st.just(Head()),
    "wait": lambda: st.builds(Wait, st.sampled_from([0.5, 3.0, 8.0])),
}


@st.composite
def _followers(draw: DrawFn, emphasis: Emphasis, *, live: bool) -> tuple[Follower, ...]:
    subscribers = draw(st.integers(1, 4)) if emphasis == "subscriptions" and live else 0
    readers = draw(st.integers(1 if emphasis == "readers" else 0, 2)) if not subscribers else 0
    limits, only = st.sampled_from([100, 1, 3, 10]), st.sampled_from([None, None, 0])
    delays, paces = st.sampled_from([0.0, 0.5, 2.0, 5.0]), st.sampled_from([0.0, 0.0, 0.0, 2.0])
    return tuple(
        Follower(number < subscribers, draw(limits), draw(only), draw(delays), draw(paces))
        for number in range(subscribers + readers)
    )


@st.composite
def hand_overs(draw: DrawFn) -> Program:
    """Writers that append without a pause, and subscriptions that catch up at one moment after another meanwhile."""
    appends = draw(st.integers(2, 40))
    actor = tuple(Append(number % _STREAMS, 1, "any") for number in range(appends))
    followers = tuple(
        Follower(live=True, limit=draw(st.sampled_from([100, 1, 10])), delay=draw(st.integers(0, 12)) / 2)
        for _ in range(draw(st.integers(1, 5)))
    )
    return Program(rounds=((actor,) * draw(st.integers(1, 3)),), followers=followers, streams=_STREAMS)
