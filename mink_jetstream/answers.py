"""What the JetStream API answers, as far as a store looks at it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from mink_jetstream.messages import Stored  # noqa: TC001 -- msgspec resolves a Struct's annotations at run time


class RefusedError(Exception):
    """The server refused a request; nothing was done."""

    def __init__(self, code: int, description: str) -> None:
        """Keep the server's error code."""
        super().__init__(f"{description} ({code})")
        self.code = code


class ApiError(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct, frozen=True):
    """The answer to a write."""

    error: ApiError | None = None
    stream: str = ""
    seq: int = 0
    """Of the last message."""


class State(msgspec.Struct, frozen=True):
    """What a stream holds."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    num_deleted: int = 0
    num_subjects: int = 0
    subjects: dict[str, int] = {}


class Config(msgspec.Struct, frozen=True):
    """What matters of a stream's configuration."""

    name: str
    num_replicas: int = 1
    storage: str = ""
    allow_atomic: bool = False
    allow_direct: bool = False
    discard: str = ""
    max_age: int = 0
    max_msgs: int = -1
    max_bytes: int = -1
    max_msgs_per_subject: int = -1
    metadata: dict[str, str] = {}


class Peer(msgspec.Struct, frozen=True):
    """One copy of a stream."""

    name: str
    current: bool = False
    offline: bool = False
    active: int = 0
    """Nanoseconds since the leader last heard from it."""
    lag: int = 0


class Cluster(msgspec.Struct, frozen=True):
    """Who leads a stream, and who follows."""

    leader: str = ""
    replicas: tuple[Peer, ...] = ()
    name: str = ""
    """Of the servers as a whole; none where one stands for itself."""


class Info(msgspec.Struct, frozen=True):
    """What a stream's leader says of it."""

    error: ApiError | None = None
    config: Config | None = None
    state: State = State()
    cluster: Cluster = Cluster()
    total: int = 0
    created: str = ""
    """In RFC 3339 with nanoseconds, as `ts`."""
    ts: str = ""
    """The server's time now, in RFC 3339 with nanoseconds."""


class Got(msgspec.Struct, frozen=True):
    """The answer to a leader's get."""

    error: ApiError | None = None
    message: Stored | None = None


class Done(msgspec.Struct, frozen=True):
    """An answer of which only an error matters."""

    error: ApiError | None = None


def server_time(text: str) -> datetime:
    """A time as the server writes it, cut to microseconds."""
    return msgspec.json.decode(f'"{text}"', type=datetime).astimezone(UTC)


decode_ack = msgspec.json.Decoder(Ack).decode
decode_info = msgspec.json.Decoder(Info).decode
decode_got = msgspec.json.Decoder(Got).decode
decode_done = msgspec.json.Decoder(Done).decode


def check(error: ApiError | None) -> None:
    """Raise what the server refused."""
    if error is not None:
        raise RefusedError(error.err_code, error.description)
