"""What a store is given as transforms is looked at where it is made, and not at the first append."""

from __future__ import annotations

from typing import Any

import pytest

from mink_core import TypedPayloads, UsageError, open_async_store, open_store

URLS = ["memory://", "postgresql://localhost/app", "nats://localhost/app"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("door", [open_store, open_async_store])
@pytest.mark.parametrize(
    "given",
    [5, None, TypedPayloads(), [TypedPayloads], [TypedPayloads(), len], [None], "ab"],
    ids=["number", "none", "one", "class", "function", "nothing", "text"],
)
def test_what_is_no_list_of_transforms_is_refused(url: str, door: Any, given: object) -> None:
    with pytest.raises(UsageError, match="transforms must be a list"):
        door(url, transforms=given)


@pytest.mark.parametrize("url", URLS)
def test_any_iterable_of_them_will_do(url: str) -> None:
    for given in ((), [TypedPayloads()], iter([TypedPayloads()])):
        open_store(url, transforms=given)
