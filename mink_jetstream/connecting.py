"""What a connection takes: a server that is new enough, TLS, and what its errors say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mink_core.errors import StorageError

if TYPE_CHECKING:
    from nats.aio.client import Client


_OLDEST = (2, 12, 3)
_LOG = logging.getLogger("mink.jetstream")


def check_version(client: Client) -> None:
    """Refuse a server that does not keep an atomic batch whole, by a `StorageError`."""
    version = client.connected_server_version
    if (version.major, version.minor, version.patch) < _OLDEST:
        msg = (
            f"the NATS server has version {version}, and this adapter needs {'.'.join(map(str, _OLDEST))} or newer: older "
            "ones store a part of an atomic batch when their leader changes, or know no such batch and store what is "
            "refused; nothing was done"
        )
        raise StorageError(msg)


async def note(error: Exception) -> None:
    """Keep what the client says for whoever looks for a fault."""
    # What matters is told to the caller whom it concerns; the client says every failed try to connect.
    _LOG.debug("the NATS client says: %s", error)


def said(error: BaseException) -> str:
    """What an error says, or what it is."""
    return str(error).removeprefix("nats: ") or type(error).__name__


def tls_context() -> Any:
    """The system's trust."""
    import ssl  # noqa: PLC0415 -- only where it is used

    return ssl.create_default_context()
