"""The in-memory adapter: the whole contract without a server, for tests, tools and small programs."""

from mink_memory.async_store import AsyncMemoryEventStore
from mink_memory.names import forget
from mink_memory.store import MemoryEventStore

__all__ = ["AsyncMemoryEventStore", "MemoryEventStore", "forget"]
