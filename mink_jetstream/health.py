"""What damage there is, and what makes a store less safe than it could be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.administration import Diagnosis, Level
from mink_core.finding import Finding
from mink_jetstream.requests import Request, UnansweredError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.subscriptions import SubscriptionStatus
    from mink_jetstream.answers import Config, Info
    from mink_jetstream.place import Place

_COPIES = 3
_LOOK = 1.0
"""Seconds to wait for what only some users may ask."""


async def findings(place: Place) -> list[Finding]:
    """What has been done to the store past it: messages taken away, or settings by which they will be."""
    info = await place.info()
    assert info.config is not None  # noqa: S101 -- there is one where there is no error
    found = [Finding("settings", place.stream, problem) for problem in _settings(info.config)]
    if info.state.num_deleted or info.state.first_seq > 1:
        gone = info.state.last_seq - info.state.messages
        found.append(Finding("events", place.stream, f"{gone} messages were removed from the log"))
    return found


def _settings(config: Config) -> list[str]:
    problems: list[str] = []
    if config.max_age or max(config.max_msgs, config.max_bytes, config.max_msgs_per_subject) > 0:
        problems.append("max_age, max_msgs, max_bytes or max_msgs_per_subject is set: events are removed or refused")
    if not (config.allow_atomic and config.allow_direct):
        problems.append("allow_atomic or allow_direct is off: appends of several events, or reads, fail")
    if config.storage != "file":
        problems.append(f"it is kept in {config.storage}: when the servers stop, everything is lost")
    return problems


async def diagnoses(place: Place) -> list[Diagnosis]:
    """How the servers keep the store."""
    info = await place.info()
    assert info.config is not None  # noqa: S101 -- as above
    damage = [
        Diagnosis(f"{it.kind} of {it.subject}", Level.CRITICAL, it.problem, "nats stream edit, or move to a new store")
        for it in await findings(place)
    ]
    return [_copies(place, info.config), *_followers(info), await _sync(place), *damage]


def _copies(place: Place, config: Config) -> Diagnosis:
    subject, figures = "copies", {"replicas": config.num_replicas}
    if config.num_replicas >= _COPIES:
        return Diagnosis(subject, Level.OK, f"{config.num_replicas} copies", figures=figures)
    advice = f"run {_COPIES} servers, then: nats stream edit {place.stream} --replicas {_COPIES}; the same for {place.bucket}"
    return Diagnosis(
        subject,
        Level.CRITICAL,
        f"{config.num_replicas} of {_COPIES} copies: what one disk loses is lost",
        advice,
        figures,
    )


def _followers(info: Info) -> list[Diagnosis]:
    return [
        Diagnosis(
            f"copy on {peer.name}",
            Level.WARNING,
            "offline" if peer.offline else f"{peer.lag} operations behind",
            "see why: until it is back, one more loss stops the appends",
            {"lag": peer.lag},
        )
        for peer in info.cluster.replicas
        if peer.offline or not peer.current
    ]


def lags(statuses: Sequence[SubscriptionStatus], max_lag: float) -> list[Diagnosis]:
    """How far the subscriptions are."""
    found: list[Diagnosis] = []
    for status in statuses:
        figures = {"events": status.lag_events, "seconds": status.lag_seconds, "parked": status.parked}
        late = status.lag_seconds > max_lag
        level = Level.CRITICAL if status.lag_seconds > 10 * max_lag else Level.WARNING if late else Level.OK
        said = f"{status.lag_events} events and {status.lag_seconds:.0f} s behind, {status.parked} parked"
        found.append(
            Diagnosis(f"subscription {status.name}", level, said, "see that its workers run" if late else "", figures)
        )
    return found


class _Jetstream(msgspec.Struct, frozen=True):
    config: dict[str, object] = {}


class _Variables(msgspec.Struct, frozen=True):
    jetstream: _Jetstream = _Jetstream()


class _Answer(msgspec.Struct, frozen=True):
    data: _Variables = _Variables()


async def _sync(place: Place) -> Diagnosis:
    """When the servers write to disk. Only a user of their system account may ask."""
    subject, advice = "setting sync_interval", "set jetstream { sync_interval: always } on every server"
    lost = "an acknowledged event can be lost when servers lose power together"
    jetstream = place.jetstream
    try:
        reply = await jetstream.requester.request(
            Request("$SYS.REQ.SERVER.PING.VARZ", b"{}"), jetstream.deadline_in(_LOOK)
        )
        config = msgspec.json.decode(reply.data, type=_Answer).data.jetstream.config
    except (UnansweredError, UnreachableError, msgspec.MsgspecError):
        said = f"unknown, as only a user of the system account may ask; by default it is two minutes, and {lost}"
        return Diagnosis(subject, Level.WARNING, said, advice)
    if config.get("sync_always"):
        return Diagnosis(subject, Level.OK, "every write is on disk before it is acknowledged")
    return Diagnosis(subject, Level.CRITICAL, f"writes go to disk after they were acknowledged: {lost}", advice)
