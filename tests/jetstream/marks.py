"""What tests are excused for, since it is the client's."""

from __future__ import annotations

from typing import Any

import pytest

_IGNORED = pytest.mark.filterwarnings(
    "ignore:.*unclosed <(StreamWriter|socket):ResourceWarning",
    "ignore:Exception ignored in.*(StreamWriter|Transport|socket):pytest.PytestUnraisableExceptionWarning",
)


def LEFT_BY_NATS(test: Any) -> Any:  # noqa: N802 -- a mark
    """Nats-py leaves the socket of a reconnect that failed to the garbage collector: which finds it in this test."""
    return pytest.mark.usefixtures("_collected")(_IGNORED(test))
