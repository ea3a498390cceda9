"""Making a connection and ending it: a server that is new enough, TLS, and what its errors say."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from mink_core.errors import StorageError, TransientStorageError
from mink_jetstream.servers import PAUSE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import ReconnectToServerHandler
    from nats.aio.msg import Msg

    from mink_jetstream.options import Options


_OLDEST = (2, 12, 3)
_LOG = logging.getLogger("mink.jetstream")
_PING = 5
_REFUSED = "authorization violation"
_FLUSH = 1.0
"""Seconds that a publish waits for room to be written; the client's own setting is without end."""
_LEAVE = 2.0
"""Seconds for a farewell."""


async def connect(
    options: Options,
    *,
    replied: Callable[[Msg], Awaitable[None]],
    lost: Callable[[], Awaitable[None]],
    found: Callable[[], Awaitable[None]],
    choose: ReconnectToServerHandler,
) -> tuple[Client, str]:
    """A connection, and the subject below which what comes in is given to `replied`.

    Raises:
        TransientStorageError: No server can be reached.
        StorageError: The server is too old, or refuses the user.
    """
    client = Client()
    refusals = 0
    connected = False

    async def noted(error: Exception) -> None:
        nonlocal refusals
        await note(error)
        refusals += _REFUSED in str(error).lower()
        # The client would try again until the time-out, which would then say that nobody can be reached.
        if not connected and refusals >= len(options.servers):
            msg = f"NATS refuses the user at {', '.join(options.servers)} ({said(error)}); nothing was done"
            raise StorageError(msg) from error

    try:
        async with asyncio.timeout(options.timeout):
            await client.connect(
                list(options.servers),
                name="mink",
                user=options.user,
                password=options.password,
                user_credentials=options.creds,
                tls=tls_context() if options.tls else None,
                error_cb=noted,
                disconnected_cb=lost,
                reconnected_cb=found,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=PAUSE,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- any seconds will do
                connect_timeout=2,
                ping_interval=_PING,
                flush_timeout=_FLUSH,
                reconnect_to_server_handler=choose,
            )
        connected = True
        check_version(client)
        inbox = client.new_inbox()
        await client.subscribe(f"{inbox}.*", cb=replied, pending_msgs_limit=0, pending_bytes_limit=0)
    except StorageError:
        await leave(client)
        raise
    except (NatsError, OSError, TimeoutError) as error:
        await leave(client)
        msg = f"no NATS server can be reached at {', '.join(options.servers)} ({said(error)}); nothing was done"
        raise TransientStorageError(msg) from error
    except BaseException:
        await leave(client)
        raise
    return client, inbox


async def leave(client: Client) -> None:
    """Close a connection, also one whose server takes nothing any more."""
    # A task of its own: where the caller is cancelled it goes on, and ends soon as the connection is cut.
    leaving = asyncio.get_running_loop().create_task(client.close(), name="mink-jetstream-farewell")
    leaving.add_done_callback(lambda it: it.cancelled() or it.exception())  # there may be nobody to tell
    try:
        await asyncio.wait([leaving], timeout=_LEAVE)
    finally:
        abort(client)
    if leaving.done():
        leaving.result()
        return
    # What it waited for has ended by that, so it goes on, to end the client's own tasks.
    await asyncio.wait([leaving], timeout=_LEAVE)
    leaving.cancel()
    await asyncio.wait([leaving], timeout=_LEAVE)


def abort(client: Client) -> None:
    """Cut a connection: to close it is to wait until all that is written has gone out, and that may be never."""
    writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


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
