"""What tests of the outbox send, and a look at what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core import OutboxMessage

if TYPE_CHECKING:
    from tests.adapters.script import Script


def message(number: int = 0, **fields: Any) -> OutboxMessage:
    return OutboxMessage("orders", {"n": number}, **fields)


async def stored(script: Script) -> list[Any]:
    return [item.payload["n"] for item in await script(script.store.outbox.list())]
