"""The webhook publisher against a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from mink_core import (
    AsyncOutboxRelay,
    ExpectedVersion,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    OutboxRelay,
    UsageError,
    open_async_store,
    open_store,
)
from mink_core.publishers.webhook import AsyncWebhookPublisher, WebhookPublisher, secret_bytes, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            status, headers = receiver.answers.get(self.path, (204, {}))
            if status == 0:
                receiver.ended.wait(60)
            self.send_response(status or 204)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_from_the_append_to_a_signed_request(receiver: Receiver) -> None:
    event = NewEvent("OrderPlaced", {"total": 12})
    order = OutboxMessage(f"{receiver.url}/ok", {"total": 12, "name": "é"}, {"x-tenant": "t1"})
    with open_store("memory://") as store, WebhookPublisher(SECRET) as publisher:
        store.append("order-1", [event], expected_version=ExpectedVersion.ANY, outbox=[order])
        relay = OutboxRelay(store, publisher)
        assert relay.run_once() == 1
        assert relay.counts.published == 1
    [(headers, body)] = receiver.got
    assert json.loads(body) == {"total": 12, "name": "é"}
    assert headers["content-type"] == "application/json"
    assert (headers["x-tenant"], headers["event-id"]) == ("t1", str(event.event_id))
    assert headers["webhook-id"] == headers["message-id"] == str(order.message_id)
    sent_at = int(headers["webhook-timestamp"])
    assert abs(sent_at - time.time()) < 60
    assert headers["webhook-signature"] == signature(secret_bytes(SECRET), str(order.message_id), sent_at, body)


def test_the_signature_is_the_standard_s() -> None:
    """The example of the Standard Webhooks specification."""
    body = b'{"test": 2432232314}'
    made = signature(secret_bytes(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("is_async", [False, True])
def test_each_answer_has_its_outcome(receiver: Receiver, is_async: bool) -> None:
    receiver.answers = {
        "/busy": (503, {"retry-after": "120"}),
        "/gone": (410, {}),
        "/moved": (302, {"location": "/ok"}),
        "/slow": (0, {}),
    }
    paths = ["/ok", "/busy", "/gone", "/moved", "/slow"]
    messages = [OutboxMessage(receiver.url + path, {"path": path}) for path in paths]
    messages.append(OutboxMessage("http://127.0.0.1:1/", {"path": "refused"}))
    messages.append(OutboxMessage(f"{receiver.url}/ok", {"path": "header"}, {"bad": "a\r\nb: c"}))
    messages.append(OutboxMessage("no url", {"path": "url"}))

    def hurry(request: httpx.Request) -> None:
        if request.url.path == "/slow":
            request.extensions["timeout"] = httpx.Timeout(0.3).as_dict()

    async def hurried(request: httpx.Request) -> None:
        hurry(request)

    async def awaited() -> Any:
        async with (
            open_async_store("memory://") as store,
            httpx.AsyncClient(timeout=60, event_hooks={"request": [hurried]}) as client,
            AsyncWebhookPublisher("secret", client=client) as publisher,
        ):
            await store.outbox.add(messages)
            await AsyncOutboxRelay(store, publisher).run_once()
            return await store.outbox.list()

    def plain() -> Any:
        with (
            open_store("memory://") as store,
            httpx.Client(timeout=60, event_hooks={"request": [hurry]}) as client,
            WebhookPublisher("secret", client=client) as publisher,
        ):
            store.outbox.add(messages)
            OutboxRelay(store, publisher).run_once()
            return store.outbox.list()

    found = {item.payload["path"]: item for item in (asyncio.run(awaited()) if is_async else plain())}
    assert {path: item.status.value for path, item in found.items()} == {
        "/ok": "done",
        "/busy": "pending",
        "/gone": "dead",
        "/moved": "pending",
        "/slow": "pending",
        "refused": "pending",
        "header": "pending",
        "url": "pending",
    }
    assert "503" in found["/busy"].last_error
    assert (found["/busy"].due_at - found["/busy"].created_at).total_seconds() > 100
    assert (found["/moved"].due_at - found["/moved"].created_at).total_seconds() < 30
    assert "Timeout" in found["/slow"].last_error
    assert found["/gone"].status is MessageStatus.DEAD
    assert all(b'"header"' not in body for _, body in receiver.got)


@pytest.mark.parametrize("secret", ["", b"", "whsec_", "whsec_???"])
def test_a_wrong_secret_is_refused(secret: Any) -> None:
    with pytest.raises(UsageError):
        WebhookPublisher(secret)
