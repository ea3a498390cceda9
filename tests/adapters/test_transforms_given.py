"""What a store is given as transforms is looked at where it is made, and not at the first append."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent, TypedPayloads, UsageError, open_async_store, open_store
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

URLS = ["memory://", "postgresql://localhost/app", "nats://localhost/app"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("door", [open_store, open_async_store])
@pytest.mark.parametrize(
    "given",
    [5, None, TypedPayloads(), [TypedPayloads], [TypedPayloads(), len], [None], "ab"],
    ids=["number", "none", "one", "class", "function", "nothing", "text"],
)
def test_what_is_no_list_of_transforms_is_refused(url: str, door: Any, given: object) -> None:
    with pytest.raises(UsageError, match=r"transforms must be a list .* nothing was opened"):
        door(url, transforms=given)


@pytest.mark.parametrize("url", URLS)
def test_any_iterable_of_them_will_do(url: str) -> None:
    for given in ((), [TypedPayloads()]):
        open_store(url, transforms=given)
        open_async_store(url, transforms=iter(given))


@dataclass
class Joined:
    name: str


def test_they_are_kept_for_every_call(door: Door) -> None:
    """Also where they can be gone through only once."""
    payloads = TypedPayloads()
    payloads.register("Joined")(Joined)

    async def scenario(script: Script) -> None:
        for version in range(2):
            new = [NewEvent("Joined", Joined("Ann"))]
            await script(script.store.append("a-1", new, expected_version=version))
            events = await collected(script.store.read_stream("a-1"))
            assert [event.data for event in events] == [Joined("Ann")] * (version + 1)

    play(door, scenario, transforms=iter([payloads]))
