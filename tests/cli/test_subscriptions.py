"""`mink subscriptions`, `mink parked` and `mink tail --subscription`."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from mink_core import NewEvent, Store
from tests.cli.conftest import lines
from tests.cli.programs import finish, start

if TYPE_CHECKING:
    from tests.cli.conftest import Mink


@pytest.fixture
def made(store: Store) -> Store:
    store.append("a-1", [NewEvent("Made", {"n": number}) for number in range(5)], expected_version=0)
    store.subscriptions.hold("mailer", "host:1", partitions=2, seconds=60)
    store.subscriptions.hold("other", "host:2", partitions=1, seconds=0.001)
    store.checkpoints.save("other", 3, expected=None)
    events = list(store.read_all())
    store.parked.park("mailer", events[1], attempts=3, error="ValueError: no\x1b[31m")
    store.parked.park("mailer", events[3], attempts=1, error="x")
    return store


def test_list(mink: Mink, made: Store) -> None:
    mailer, other = lines(mink("subscriptions").stdout)
    assert (mailer["name"], mailer["parked"], mailer["paused_at"], mailer["lag_events"]) == ("mailer", 2, None, 5)
    assert [part["owner"] for part in mailer["partitions"]] == ["host:1", "host:1"]
    assert (other["partitions"][0]["position"], other["lag_events"], other["partitions"][0]["owner"]) == (3, 2, None)
    [only] = lines(mink("subscriptions", "list", "other").stdout)
    assert only["name"] == "other"


def test_pause_resume_rewind_reset(mink: Mink, made: Store) -> None:
    [paused] = lines(mink("subscriptions", "pause", "mailer").stdout)
    assert paused["paused_at"] is not None
    [resumed] = lines(mink("subscriptions", "resume", "mailer").stdout)
    assert resumed["paused_at"] is None
    [rewound] = lines(mink("subscriptions", "rewind", "other", "--to", "1").stdout)
    assert (rewound["partitions"][0]["position"], rewound["lag_events"]) == (1, 4)
    refused = mink("subscriptions", "reset", "mailer")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert mink("subscriptions", "reset", "mailer", "--yes").exit_code == 0
    assert [status.name for status in made.subscriptions.list()] == ["other"]
    assert made.parked.list() == []


def test_parked(mink: Mink, made: Store) -> None:
    first, second = lines(mink("parked").stdout)
    assert (first["subscription"], first["version"], first["attempts"], first["replay"]) == ("mailer", 2, 3, False)
    assert (second["event_type"], second["error"]) == ("Made", "x")
    assert lines(mink("parked", "list", "other").stdout) == []
    [one, two] = lines(mink("parked", "replay", "mailer", "--position", str(second["global_position"])).stdout)
    assert (one["replay"], two["replay"]) == (False, True)
    assert all(it["replay"] for it in lines(mink("parked", "replay", "mailer").stdout))
    refused = mink("parked", "remove", "mailer", "--position", str(first["global_position"]))
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    left = lines(mink("parked", "remove", "mailer", "--position", str(first["global_position"]), "--yes").stdout)
    assert [it["version"] for it in left] == [4]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("subscriptions", "pause"), 2, "which subscription"),
        (("subscriptions", "pause", "nobody"), 1, "no subscription 'nobody'"),
        (("subscriptions", "list", "nobody"), 1, "no subscription 'nobody'"),
        (("subscriptions", "rewind", "mailer"), 2, "--to"),
        (("subscriptions", "list", "mailer", "--to", "3"), 2, "--to"),
        (("subscriptions", "explode", "mailer"), 2, "explode"),
        (("parked", "replay"), 2, "which subscription"),
        (("parked", "replay", "other"), 2, "nothing that fits"),
        (("parked", "remove", "mailer"), 2, "--position"),
        (("parked", "remove", "mailer", "--position", "999"), 2, "999"),
        (("parked", "list", "--position", "1"), 2, "--position"),
        (("tail", "--subscription", "a#b"), 2, "'#'"),
    ],
)
def test_refusals(mink: Mink, made: Store, args: tuple[str, ...], code: int, said: str) -> None:
    result = mink(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_tail_as_a_subscription_prints_each_event_once(mink: Mink, made: Store) -> None:
    first = mink("tail", "--subscription", "audit", "--after", "0", "--limit", "2")
    second = mink("tail", "--subscription", "audit", "--limit", "3")
    assert [it["version"] for it in lines(first.stdout)] == [1, 2]
    assert [it["version"] for it in lines(second.stdout)] == [3, 4, 5]
    assert mink("tail", "--subscription", "audit", "--limit", "0").stdout == ""


def test_tail_as_a_subscription_ends_by_ctrl_c() -> None:
    process = start(
        "put(3)\nthreading.Thread(target=lambda: (time.sleep(1), put(1)), daemon=True).start()\n"
        "mink('tail', '--subscription', 's', '--after', '0', '--json')"
    )
    assert process.stdout is not None
    for _ in range(4):
        assert process.stdout.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, rest, said = finish(process)
    assert (code, rest, said) == (0, "", "")
    assert time.monotonic() - began < 20
