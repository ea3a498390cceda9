"""The guide's blocks, put together, are an adapter that passes; its excerpts are as they stand in the example."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from conformance_tests import Level, Status, run, target_of
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
