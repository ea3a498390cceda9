"""Links hold bytes up, deliver them late, and end connections: what the faults of the cluster are made of."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mink_jetstream.server import Break, Links

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def told(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return heard(connection, len(text))


def heard(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (data := connection.recv(65536)):
        found += data
    return found


def hears_nothing(connection: socket.socket) -> bool:
    patience = connection.gettimeout()
    connection.settimeout(0.3)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(patience)
    return False


def test_what_is_held_up_arrives_after_the_healing(echo: int) -> None:
    with Links() as links:
        link = links.add(echo)
        with socket.create_connection(("127.0.0.1", link.port), timeout=60) as connection:
            assert told(connection, b"before") == b"before"
            links.break_(link, Break.HOLD)
            connection.sendall(b"during")
            assert hears_nothing(connection)
            with socket.create_connection(("127.0.0.1", link.port), timeout=60) as late:
                late.sendall(b"late")
                assert hears_nothing(late)
                links.heal(link)
                assert heard(late, 4) == b"late"
            assert heard(connection, 6) == b"during"


def test_a_reset_ends_what_is_open_and_refuses_what_comes(echo: int) -> None:
    with Links() as links:
        link = links.add(echo)
        with socket.create_connection(("127.0.0.1", link.port), timeout=60) as connection:
            assert told(connection, b"before") == b"before"
            links.break_(link, Break.RESET)
            assert ended(connection)
            with socket.create_connection(("127.0.0.1", link.port), timeout=60) as refused:
                assert ended(refused)
            links.heal(link)
            with socket.create_connection(("127.0.0.1", link.port), timeout=60) as again:
                assert told(again, b"after") == b"after"
                links.end(link)
                assert ended(again)
            with socket.create_connection(("127.0.0.1", link.port), timeout=60) as again:
                assert told(again, b"after") == b"after"


def test_a_held_connection_can_be_reset(echo: int) -> None:
    with Links() as links:
        link = links.add(echo)
        with socket.create_connection(("127.0.0.1", link.port), timeout=60) as connection:
            assert told(connection, b"before") == b"before"
            links.break_(link, Break.HOLD)
            connection.sendall(b"lost")
            links.break_(link, Break.RESET)
            assert ended(connection)


def test_large_transfers_pass_whole(echo: int) -> None:
    with Links() as links:
        link = links.add(echo)
        with socket.create_connection(("127.0.0.1", link.port), timeout=60) as connection:
            text = bytes(range(256)) * 8192
            sender = threading.Thread(target=connection.sendall, args=(text,))
            sender.start()
            assert heard(connection, len(text)) == text
            sender.join()


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
