"""HTTP webhooks by httpx, signed as the Standard Webhooks specification says. Needs the extra `webhook`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Self

import httpx
import msgspec

from mink_core.errors import UsageError
from mink_core.publishers.base import PublishError
from mink_core.publishers.callables import AsyncCallablePublisher, CallablePublisher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from mink_core.outbox import ClaimedMessage

TIMEOUT = 10.0
_encode = msgspec.json.Encoder().encode
_GONE = 410
_BASE64 = "whsec_"


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """What a receiver computes to know that the body is ours: `v1,` and an HMAC of id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def secret_bytes(secret: str | bytes) -> bytes:
    """A secret as bytes; `whsec_…` is base64.

    Raises:
        UsageError: It is empty, or no base64.
    """
    try:
        if isinstance(secret, str):
            secret = (
                base64.b64decode(secret.removeprefix(_BASE64), validate=True)
                if secret.startswith(_BASE64)
                else secret.encode()
            )
    except ValueError:
        msg = "the webhook secret begins with whsec_, but the rest is no base64"
        raise UsageError(msg) from None
    if not secret:
        msg = "the webhook secret is empty"
        raise UsageError(msg)
    return secret


class _Requests:
    """Messages to requests, and responses to outcomes; the same for both doors."""

    def __init__(self, secret: str | bytes, url: str | None) -> None:
        self._secret = secret_bytes(secret)
        self._url = url

    def request(self, client: httpx.Client | httpx.AsyncClient, message: ClaimedMessage) -> httpx.Request:
        body = _encode(message.payload)
        sent_at = int(time.time())
        name = str(message.message_id)
        headers = {
            **message.headers,
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(sent_at),
            "webhook-signature": signature(self._secret, name, sent_at, body),
        }
        return client.build_request("POST", self._url or message.destination, content=body, headers=headers)

    @staticmethod
    def judge(response: httpx.Response) -> None:
        if response.is_success:
            return
        said = f"the webhook answered {response.status_code} {response.reason_phrase}"
        wait = response.headers.get("retry-after", "")
        # A time as a date is left to the backoff.
        retry_in = min(float(wait), 3600.0) if wait.isascii() and wait.isdigit() else None
        raise PublishError(said, retry_in=retry_in, give_up=response.status_code == _GONE)


class WebhookPublisher:
    """Posts each message's payload as JSON to its destination, a URL. A 2xx answer is success.

    410 makes the message a dead letter, `Retry-After` in seconds is kept to, redirects are failures.
    What a receiver checks stands in `docs/guides/outbox-relay.md`.
    """

    def __init__(self, secret: str | bytes, *, url: str | None = None, client: httpx.Client | None = None) -> None:
        """Open a client, or borrow the caller's.

        Args:
            secret: Signs each message: bytes, text, or `whsec_` and base64.
            url: Where all messages go; None for each message's destination.
            client: With time-outs, proxies and certificates of the caller's choice; not closed here.
                Without one: 10 s to connect, and for each read and write.
        """
        self._requests = _Requests(secret, url)
        self._owned = client is None
        self._client = client or httpx.Client(timeout=TIMEOUT)
        self._each = CallablePublisher(self._post)

    def _post(self, message: ClaimedMessage) -> None:
        self._requests.judge(self._client.send(self._requests.request(self._client, message)))

    def publish(self, messages: Sequence[ClaimedMessage]) -> list[Exception | None]:
        """See `Publisher.publish`."""
        return self._each.publish(messages)

    def close(self) -> None:
        """Close the client, if it is ours."""
        if self._owned:
            self._client.close()

    def __enter__(self) -> Self:
        """The publisher itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class AsyncWebhookPublisher:
    """`WebhookPublisher` for asyncio; several messages at a time."""

    def __init__(
        self,
        secret: str | bytes,
        *,
        url: str | None = None,
        client: httpx.AsyncClient | None = None,
        concurrency: int = 10,
    ) -> None:
        """See `WebhookPublisher`; at most `concurrency` requests at a time."""
        self._requests = _Requests(secret, url)
        self._owned = client is None
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT)
        self._each = AsyncCallablePublisher(self._post, concurrency=concurrency)

    async def _post(self, message: ClaimedMessage) -> None:
        self._requests.judge(await self._client.send(self._requests.request(self._client, message)))

    async def publish(self, messages: Sequence[ClaimedMessage]) -> list[Exception | None]:
        """See `Publisher.publish`."""
        return await self._each.publish(messages)

    async def close(self) -> None:
        """Close the client, if it is ours."""
        if self._owned:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        """The publisher itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()
