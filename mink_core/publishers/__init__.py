"""Where a relay sends the outbox's messages: a function of yours, or an HTTP webhook."""

from mink_core.publishers.base import AsyncPublisher, Publisher, PublishError
from mink_core.publishers.callables import AsyncCallablePublisher, CallablePublisher

__all__ = ["AsyncCallablePublisher", "AsyncPublisher", "CallablePublisher", "PublishError", "Publisher"]
