"""A store is of one process, and says so where it is given to another, or copied."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from mink_core import UsageError, open_async_store, open_store


@pytest.mark.parametrize("make_another", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("url", ["memory://", "postgresql://localhost/app", "nats://localhost/app"])
@pytest.mark.parametrize("door", [open_store, open_async_store])
def test_there_is_no_second_one(door: Any, url: str, make_another: Any) -> None:
    """It was "cannot pickle '_thread.lock' object", or a copy that no fork told of."""
    with pytest.raises(UsageError, match=r"cannot be pickled or copied.*open a store by the same URL"):
        make_another(door(url))
