"""The relay on every door: partial success, suspects, order, stopping, storage failures (OUTBOX-02 to OUTBOX-05)."""

from __future__ import annotations

import asyncio
import inspect
import threading
from math import inf, nan
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    AsyncCallablePublisher,
    AsyncOutboxRelay,
    Backoff,
    CallablePublisher,
    ExpectedVersion,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    OutboxRelay,
    PublishError,
    TransientStorageError,
    UsageError,
    open_store,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.doors import Door
    from tests.adapters.script import Script

QUICK = Backoff(first=0.05, factor=1.0, jitter=0.0)


def relay_of(script: Script, function: Callable[[Any], object], **options: Any) -> Any:
    options = {"worker": "w", "poll_interval": 0.02, "backoff": QUICK, **options}
    if not inspect.iscoroutinefunction(script.store.ping):
        return OutboxRelay(script.store, CallablePublisher(function), **options)

    async def awaited(message: Any) -> None:
        function(message)

    return AsyncOutboxRelay(script.store, AsyncCallablePublisher(awaited, concurrency=1), **options)


def message(number: int, **fields: Any) -> OutboxMessage:
    return OutboxMessage("orders", {"n": number}, **fields)


async def relayed(script: Script, relay: Any, until: Callable[[], bool]) -> None:
    """Run the relay until a condition holds, then stop it and see it end by itself."""
    if inspect.iscoroutinefunction(relay.run):
        running = asyncio.create_task(relay.run())
    else:
        thread = threading.Thread(target=relay.run)
        thread.start()
        running = asyncio.ensure_future(asyncio.to_thread(thread.join))
    async with asyncio.timeout(60):
        while not until():  # noqa: ASYNC110 -- the condition is the test's
            await asyncio.sleep(0.01)
        relay.stop()
        await running


def test_one_bad_message_stops_no_other(door: Door) -> None:
    """T20: what was sent is done, what failed is tried again, and only that."""

    async def scenario(script: Script) -> None:
        sent: list[int] = []

        def send(item: Any) -> None:
            if item.payload["n"] == 2 and item.attempts < 3:
                raise ConnectionError("refused")
            if item.payload["n"] == 4:
                raise PublishError("no such topic", give_up=True)
            sent.append(item.payload["n"])

        await script(script.store.outbox.add([message(n) for n in range(6)]))
        relay = relay_of(script, send, publish_size=4)
        await relayed(script, relay, lambda: len(sent) == 5)
        assert sent == [0, 1, 3, 5, 2]
        assert (relay.counts.published, relay.counts.failed, relay.counts.refused) == (5, 3, 0)
        [dead] = await script(script.store.outbox.dead_letters())
        assert (dead.payload, dead.last_error) == ({"n": 4}, "PublishError: no such topic")
        done = await script(script.store.outbox.list(status=MessageStatus.DONE))
        assert {item.payload["n"]: item.attempts for item in done} == {0: 1, 1: 1, 2: 3, 3: 1, 5: 1}

    play(door, scenario)


def test_order_per_stream_with_failures_in_between(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sent: list[tuple[str, int]] = []
        failed: set[Any] = set()

        def send(item: Any) -> None:
            if item.payload["n"] % 3 == 0 and item.message_id not in failed:
                failed.add(item.message_id)
                raise RuntimeError
            sent.append((item.stream_id, item.payload["n"]))

        store = script.store
        for number in range(8):
            for stream in ("a-1", "b-1", "c-1"):
                await script(
                    store.append(
                        stream,
                        [NewEvent("Made", number)],
                        expected_version=ExpectedVersion.ANY,
                        outbox=[message(number, ordered=True)],
                    )
                )
        await relayed(script, relay_of(script, send, batch_size=5), lambda: len(sent) == 24)
        for stream in ("a-1", "b-1", "c-1"):
            assert [number for name, number in sent if name == stream] == list(range(8))

    play(door, scenario)


def test_stopping_finishes_what_it_has_begun_and_gives_the_rest_back(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sent: list[int] = []

        def send(item: Any) -> None:
            sent.append(item.payload["n"])
            if len(sent) == 3:
                relay.stop()

        await script(script.store.outbox.add([message(n) for n in range(10)]))
        relay = relay_of(script, send, publish_size=2)
        await relayed(script, relay, lambda: len(sent) == 4)
        assert sent == [0, 1, 2, 3]
        assert (relay.counts.published, relay.counts.untried) == (4, 6)
        waiting = await script(script.store.outbox.claim("next"))
        assert [(item.payload["n"], item.attempts) for item in waiting] == [(n, 1) for n in range(4, 10)]

    play(door, scenario)


def test_a_lease_that_comes_near_its_end_is_published_under_no_more(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(script: Script) -> None:
        sent: list[int] = []
        clock = SimpleNamespace(monotonic=lambda: 1000.0 + 300 * len(sent), sleep=None)
        for module in ("relay", "async_relay", "relaying"):
            monkeypatch.setattr(f"mink_core.runtime.{module}.time", clock)

        def send(item: Any) -> None:
            sent.append(item.payload["n"])

        await script(script.store.outbox.add([message(n) for n in range(4)]))
        relay = relay_of(script, send, publish_size=1, lease=600)
        assert await script(relay.run_once()) == 4
        assert sent == [0, 1]
        assert (relay.counts.published, relay.counts.untried) == (2, 2)

    play(door, scenario)


def test_a_storage_failure_is_waited_out_and_what_was_published_is_acknowledged(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sent: list[int] = []
        await script(script.store.outbox.add([message(1), message(2)]))
        relay = relay_of(script, lambda item: sent.append(item.payload["n"]))
        real, broken = relay._outbox, {"claim": 1, "settle": 2}

        class Flaky:
            def __getattr__(self, name: str) -> Any:
                if broken.get(name):
                    broken[name] -= 1
                    raise TransientStorageError("gone for a moment")
                return getattr(real, name)

        relay._outbox = Flaky()
        await relayed(script, relay, lambda: relay.counts.published == 2)
        assert (sent, relay.counts.claimed, relay.counts.refused) == ([1, 2], 2, 0)

    play(door, scenario)


def test_what_cannot_be_acknowledged_while_the_lease_lasts_is_counted_and_published_again(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sent: list[int] = []
        await script(script.store.outbox.add([message(1), message(2)]))
        relay = relay_of(script, lambda item: sent.append(item.payload["n"]), lease=0.5)
        real, down = relay._outbox, ["settle"]

        class Down:
            def __getattr__(self, name: str) -> Any:
                if name in down:
                    raise TransientStorageError("gone for longer")
                return getattr(real, name)

        relay._outbox = Down()
        with pytest.raises(TransientStorageError):
            await script(relay.run_once())
        assert (relay.counts.claimed, relay.counts.refused) == (2, 2)
        down.clear()
        await relayed(script, relay, lambda: relay.counts.published == 2)
        assert sent == [1, 2, 1, 2]
        assert relay.counts.claimed == relay.counts.published + relay.counts.refused == 4

    play(door, scenario)


def test_a_publisher_that_miscounts_or_raises_loses_nothing(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await script(script.store.outbox.add(message(1)))

        class Wrong:
            def __init__(self, outcome: Any) -> None:
                self.outcome = outcome

            def publish(self, _messages: Any) -> Any:
                if isinstance(self.outcome, Exception):
                    raise self.outcome
                if not inspect.iscoroutinefunction(script.store.ping):
                    return self.outcome
                return asyncio.sleep(0, self.outcome)

        for outcome, said in (([], "0 outcomes for 1"), (OSError("down"), "OSError: down")):
            relay = relay_of(script, lambda _: None)
            relay._publisher = Wrong(outcome)
            assert await script(relay.run_once()) == 1
            [found] = await script(script.store.outbox.list())
            assert (found.status, said in found.last_error) == (MessageStatus.PENDING, True)
            await asyncio.sleep(0.06)

    play(door, scenario)


def test_a_wait_that_cannot_be_kept_to_is_bounded_and_keeps_nothing_unacknowledged(door: Door) -> None:
    """OUTBOX-04: as of `reset_at - time.time()` when that moment has passed."""
    waits: list[Any] = [-0.3, -(10**400), nan, inf, True, "60", 10**9, 10**400]

    async def scenario(script: Script) -> None:
        sent: list[int] = []

        def send(item: Any) -> None:
            if item.payload["n"] < len(waits):
                raise PublishError("429", retry_in=waits[item.payload["n"]])
            sent.append(item.payload["n"])

        await script(script.store.outbox.add([message(n) for n in range(len(waits) + 2)]))
        relay = relay_of(script, send, backoff=Backoff(first=3600.0, most=3600.0, jitter=0.0))
        await script(relay.run_once())
        assert (relay.counts.published, relay.counts.failed) == (2, len(waits))
        at_once = await script(script.store.outbox.claim("next"))
        assert [item.payload["n"] for item in at_once] == [0, 1]
        await script.later(3700)
        by_backoff = await script(script.store.outbox.claim("next"))
        assert [item.payload["n"] for item in by_backoff if item.payload["n"] > 1] == [2, 3, 4, 5]
        assert sent == [8, 9]

    play(door, scenario)


def test_done_messages_are_purged_after_their_retention(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await script(script.store.outbox.add([message(1), message(2)]))
        relay = relay_of(script, lambda _: None, retention=0)
        await script(relay.run_once())
        assert len(await script(script.store.outbox.list())) == 2
        relay._purged_at -= 61
        await script(relay.run_once())
        assert (relay.counts.purged, await script(script.store.outbox.list())) == (2, [])

    play(door, scenario)


def test_closing_the_store_ends_the_relay(door: Door) -> None:
    async def scenario(script: Script) -> None:
        relay = relay_of(script, lambda _: None)
        await script(script.store.close())
        await script(relay.run())

    play(door, scenario)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"lease": 0}, {"poll_interval": -1}, {"publish_size": True}, {"worker": "x" * 201}, {"backoff": 1}, {"retention": -1}],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with open_store("memory://") as store, pytest.raises(UsageError):
        OutboxRelay(store, CallablePublisher(print), **options)


def test_backoff_grows_to_its_limit_with_jitter() -> None:
    plain = Backoff(first=1, factor=2, most=10, jitter=0)
    assert [plain.delay(attempts) for attempts in (1, 2, 3, 4, 5, 10**6)] == [1, 2, 4, 8, 10, 10]
    drawn = [Backoff().delay(3) for _ in range(200)]
    assert 2 <= min(drawn) < 2.5
    assert 3.5 < max(drawn) <= 4
