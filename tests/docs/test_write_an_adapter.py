"""The guide's blocks, put together, are an adapter that passes; its excerpts are as they stand in the example."""

from __future__ import annotations

import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from conformance_tests import Level, Status, run, target_of
from mink_core import NewEvent
from mink_core.adapter import Adapter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "write-an-adapter.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
EXCERPTS = re.findall(r"```python title=\"(\S+)\"\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def adapter() -> Iterator[Any]:
    module = ModuleType("list_adapter")
    exec(compile("\n".join(BLOCKS), "docs/write-an-adapter.md", "exec"), module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_the_blocks_make_an_adapter_that_passes(adapter: Any) -> None:
    with target_of("list_adapter:open_namespace") as target:
        report = run(target, level=Level.SMOKE)
    assert [f"{it.check.id}: {it.what}" for it in report.results if it.status is Status.FAILED] == []
    assert len([it for it in report.results if it.status is Status.PASSED]) > 60


class _Stopping(dict[str, Any]):
    """Streams that stop a writer once it has stored a part of its call."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key in self and len(self[key]) == 1:
            self.reached.set()
            assert self.go_on.wait(30)
        return super().setdefault(key, default)


@pytest.mark.parametrize("look", ["stream_info", "streams", "read_stream", "poll", "read_all", "head_position"])
def test_a_call_that_is_half_stored_is_not_seen(adapter: Any, look: str) -> None:
    """The readers wait for the writer that is in the middle of its call."""
    log = adapter.Log()
    log.streams = _Stopping()
    store, looks = (
        adapter.ListStore(log),
        {
            "stream_info": lambda: adapter.ListStore(log).stream_info("order-1").version,
            "streams": lambda: next(info.version for info in adapter.ListStore(log).streams()),
            "read_stream": lambda: len(list(adapter.ListStore(log).read_stream("order-1"))),
            "poll": lambda: len(adapter.ListStore(log).poll(0).events),
            "read_all": lambda: len(list(adapter.ListStore(log).read_all())),
            "head_position": lambda: adapter.ListStore(log).head_position(),
        },
    )
    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(store.append, "order-1", [NewEvent("Placed", n) for n in range(3)], expected_version=0)
        assert log.streams.reached.wait(30)
        seen = threads.submit(looks[look])
        try:
            early = seen.result(timeout=0.1)
        except TimeoutError:
            early = None
        finally:
            log.streams.go_on.set()
        writing.result(30)
        assert early in {None, 3}
        assert seen.result(30) == 3


def test_it_can_be_an_entry_point(adapter: Any) -> None:
    known = {name for name in dir(Adapter) if name.startswith("open_")}
    assert known == {"open_store", "open_async_store"}
    assert all(callable(getattr(adapter, name)) for name in known)
    with adapter.open_store("list://a") as store:
        assert store.head_position() == 0


@pytest.mark.parametrize(("path", "excerpt"), EXCERPTS)
def test_the_excerpts_stand_in_the_example(path: str, excerpt: str) -> None:
    assert excerpt in (ROOT / path).read_text("utf-8")


def test_nothing_else_is_imported() -> None:
    """The guide and the example use the public names of the core alone."""
    files = sorted((ROOT / "examples" / "sqlite_adapter").rglob("*.py"))
    texts = ["\n".join(BLOCKS), *(path.read_text("utf-8") for path in files)]
    assert len(files) >= 6
    used = {name for text in texts for name in re.findall(r"(?:from|import) (mink\w*[.\w]*|conformance\w*)", text)}
    assert used - {name for name in used if name.startswith("mink_sqlite")} <= {
        "mink_core",
        "mink_core.adapter",
        "conformance_tests",
    }
