"""What makes a store less safe than it could be, or was not left so by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.finding import Finding
from mink_jetstream.wire import Request, UnansweredError, UnreachableError

if TYPE_CHECKING:
    from mink_jetstream.place import Place

_SAFE = 3
_TIMEOUT = 1.0


async def findings(place: Place) -> list[Finding]:
    """Look at how the store is kept: copies, what the server may remove, and when it writes to disk."""
    info = await place.info()
    config = info.config
    assert config is not None  # noqa: S101 -- there is one where there is no error
    found: list[tuple[str, str]] = []
    if config.num_replicas < _SAFE:
        found.append(
            ("replicas", f"{config.num_replicas} of at least {_SAFE} copies: losing one disk loses acknowledged events")
        )
    if config.storage != "file":
        found.append(("storage", f"{config.storage}: a restart of the servers loses everything"))
    if config.max_age or max(config.max_msgs, config.max_bytes, config.max_msgs_per_subject) > 0:
        found.append(
            (
                "limits",
                "max_age, max_msgs, max_bytes or max_msgs_per_subject is set: old events are removed or appends refused",
            )
        )
    if not config.allow_atomic or not config.allow_direct:
        found.append(
            ("settings", "allow_atomic and allow_direct must be on: appends of several events, or reads, fail")
        )
    if info.state.num_deleted:
        found.append(("events", f"{info.state.num_deleted} messages were removed from the middle of the log"))
    found += [
        (f"copy on {peer.name}", f"{'offline' if peer.offline else 'behind'} by {peer.lag} operations")
        for peer in info.cluster.replicas
        if peer.offline or not peer.current
    ]
    sync = await _sync(place)
    if sync is not None:
        found.append(("sync_interval", sync))
    return [
        Finding("stream" if subject != "sync_interval" else "server", f"{place.stream} {subject}", problem)
        for subject, problem in found
    ]


class _Jetstream(msgspec.Struct, frozen=True):
    config: dict[str, object] = {}


class _Variables(msgspec.Struct, frozen=True):
    jetstream: _Jetstream = _Jetstream()


class _Answer(msgspec.Struct, frozen=True):
    data: _Variables = _Variables()


async def _sync(place: Place) -> str | None:
    """What is wrong with the server's `sync_interval`; only a user of the system account may ask."""
    wire = place.jetstream.wire
    deadline = place.jetstream.deadline_in(_TIMEOUT)
    try:
        reply = await wire.request(Request("$SYS.REQ.SERVER.PING.VARZ", b"{}"), deadline)
        config = msgspec.json.decode(reply.data, type=_Answer).data.jetstream.config
    except (UnansweredError, UnreachableError, msgspec.MsgspecError):
        return (
            "cannot be seen by this user (only the system account's may): set `sync_interval: always` on every server, as "
            "with the default of two minutes an acknowledged event can be lost when servers lose power together"
        )
    if config.get("sync_always"):
        return None
    return "not `always`: an acknowledged event can be lost when servers lose power before they have written to disk"
