"""A store moved from one storage to the next: `python -m tests.soak.move --events 1000000`.

Fills a PostgreSQL, moves it to JetStream by `mink export - | mink import -`, from there to memory, and compares the
digest of every stream and of the order of all. Prints a JSON line; ends with 1 where one differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import ExpectedVersion, NewEvent, StoredEvent, StreamAppend, open_store
from mink_core.transfer import Digests
from mink_core.transfer.lines import parse
from mink_jetstream.server import EmbeddedServer, nats_cluster
from mink_memory import MemoryEventStore
from mink_postgres.server import postgres_for_tests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STREAMS_PER_EVENT = 0.05
_CALL = 1000
_TEXTS = ("leave it at the door", "Grüße aus Köln", "二つ", 'a "quoted" \\ text', "😀")


def fill(url: str, events: int) -> None:
    """Streams of four categories that grow beside one another, with what JSON can hold."""
    chance = random.Random(events)
    streams = [
        f"{('order', 'invoice', 'cart', 'user')[n % 4]}-{n}" for n in range(max(4, int(events * _STREAMS_PER_EVENT)))
    ]
    with open_store(url) as store:
        store.initialize()
        for start in range(0, events, _CALL):
            items = [
                StreamAppend(chance.choice(streams), [_event(chance, number)], ExpectedVersion.ANY)
                for number in range(start, min(start + _CALL, events))
            ]
            store.append_batch(items)


def _event(chance: random.Random, number: int) -> NewEvent:
    data = {
        "order_id": number,
        "big": 2**62 + number,
        "price": round(chance.random() * 1000, 2),
        "ratio": chance.random(),
        "note": chance.choice(_TEXTS),
        "items": [{"sku": f"S-{chance.randrange(1000)}", "qty": chance.randrange(9), "gift": chance.random() < 0.1}]
        * 2,
        "nothing": None,
    }
    return NewEvent(
        chance.choice(("OrderPlaced", "OrderPaid", "OrderShipped")), data, {"correlation": f"c-{number // 7}"}
    )


def digests_of(events: Iterable[StoredEvent]) -> Digests:
    found = Digests()
    for event in events:
        found.add(event)
    return found


def piped(source: str, target: str) -> None:
    """`mink export - | mink import -`, the stores told by the environment: a URL may hold a password."""
    assert mink("init", store=target, stdout=subprocess.DEVNULL).wait() == 0
    with mink("export", "-", store=source, stdout=subprocess.PIPE) as exporting:
        with mink("import", "-", store=target, stdin=exporting.stdout, stdout=subprocess.DEVNULL) as importing:
            exporting.stdout.close()
            assert importing.wait() == 0
        assert exporting.wait() == 0


def mink(*arguments: str, store: str, **pipes: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mink_core.cli", *arguments], env={**os.environ, "MINK_STORE_URL": store}, **pipes
    )


def into_memory(source: str) -> MemoryEventStore:
    """Repeat an export, event by event, with the clock at each event's time: memory has no import of its own."""
    now = datetime.now(UTC)
    store = MemoryEventStore(clock=lambda: now)
    with mink("export", "-", store=source, stdout=subprocess.PIPE) as exporting:
        for _, event in parse(exporting.stdout):
            if isinstance(event, StoredEvent):
                now = event.timestamp
                new = NewEvent(event.event_type, event.data, event.metadata, event_id=event.event_id)
                store.append(event.stream_id, [new], expected_version=event.version - 1)
        assert exporting.wait() == 0
    return store


@contextmanager
def servers(nodes: int) -> Iterator[tuple[str, Sequence[EmbeddedServer]]]:
    if nodes == 1:
        with EmbeddedServer.start() as server:
            yield server.url, [server]
    else:
        with nats_cluster(nodes) as cluster:
            yield cluster.direct_url, cluster.nodes


def move(events: int, nodes: int = 1) -> dict[str, Any]:
    """Move and compare; what was found, `equal` among it."""
    took: dict[str, float] = {}
    with ExitStack() as stack:
        postgres = f"{stack.enter_context(postgres_for_tests())}?schema=mink_move_{os.getpid()}"
        url, running = stack.enter_context(servers(nodes))
        jetstream = f"{url}/move"
        with _timed(took, "fill"):
            fill(postgres, events)
        with _timed(took, "PostgreSQL to JetStream, verified"):
            piped(postgres, jetstream)
        with _timed(took, "JetStream to memory"):
            memory = into_memory(jetstream)
        with _timed(took, "digests"):
            with open_store(postgres) as store:
                first = digests_of(store.read_all())
            with open_store(jetstream) as store:
                second = digests_of(store.read_all())
            third = digests_of(memory.read_all())
        sizes = {
            "postgresql": _postgres_size(postgres) / events,
            "jetstream": min(_stream_size(node) for node in running) / events,
            "jetstream disk": min(_disk(node) for node in running) / events,
        }
    same = [it.order == first.order and dict(it.streams) == dict(first.streams) for it in (second, third)]
    return {
        "events": first.events,
        "streams": len(first.streams),
        "nodes": nodes,
        "equal": all(same) and first.events == events,
        "order": [it.order for it in (first, second, third)],
        "seconds": {name: round(value, 1) for name, value in took.items()},
        "bytes_an_event": {name: round(value) for name, value in sizes.items()},
    }


@contextmanager
def _timed(took: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took[name] = time.monotonic() - began


def _postgres_size(url: str) -> int:
    server, _, schema = url.partition("?schema=")
    with psycopg.connect(server, autocommit=True) as connection:
        total = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
            [schema],
        ).fetchone()
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE')  # type: ignore[call-overload]
    assert total is not None
    return int(total[0])


def _stream_size(node: EmbeddedServer) -> int:
    """Bytes of the stored messages, as the server counts them."""
    streams = [
        it for account in node.monitor("/jsz?streams=true")["account_details"] for it in account["stream_detail"]
    ]
    return int(next(it["state"]["bytes"] for it in streams if it["name"] == "MINK_move"))


def _disk(node: EmbeddedServer) -> int:
    """Bytes of the node's files, the replicated log's among them."""
    total = 0
    for path in (node.folder / "data").rglob("*"):
        with suppress(FileNotFoundError):  # the server writes and renames meanwhile
            total += path.stat().st_blocks * 512 if path.is_file() else 0
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.move", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--nodes", type=int, default=1)
    given = parser.parse_args()
    report = move(given.events, given.nodes)
    print(json.dumps(report))
    return 0 if report["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
