"""Every code block of the README, the guides and the examples' pages runs, or says why not."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from mink_postgres.server import EmbeddedServer, ServerUnavailableError
from tests.docs.blocks import ROOT, Run, blocks_of, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [path for path in pages() if blocks_of(path)]
DATABASES = ("app", "copy")
ROLES = ("app", "reports")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server on localhost with the databases and roles that the pages speak of."""
    try:
        started = EmbeddedServer.start()
    except ServerUnavailableError as error:
        if os.environ.get("MINK_REQUIRE_POSTGRES") == "1":
            raise
        pytest.skip(str(error))
    with started, psycopg.connect(started.url(), autocommit=True) as admin:
        for role in ROLES:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(admin.info.password))
            )
        yield started


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which root keeps to itself: the unprivileged server of a page could not get through."""
    with tempfile.TemporaryDirectory(prefix="mink-page-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def environment(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, str]:
    """As a reader's terminal: `postgresql://localhost/app` is there, and empty."""
    for name in [name for name in os.environ if name.startswith(("MINK_", "PYTEST_", "PG"))]:
        monkeypatch.delenv(name)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        for database in DATABASES:
            name = sql.Identifier(database)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER app").format(name))
        given = {"PGPORT": server.port, "PGUSER": admin.info.user, "PGPASSWORD": admin.info.password}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    return dict(os.environ)


@pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_page(page: Path, environment: dict[str, str], folder: Path) -> None:
    Run(folder, environment).page(blocks_of(page))


def test_how_many_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    skipped = [block for block in blocks if block.mark == "not run"]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(blocks) - len(skipped)} code blocks of {len(PAGES)} pages run, {len(skipped)} do not:\n"
        )
        sys.stdout.writelines(f"  {block.place} ({block.language}): {block.reason}\n" for block in skipped)
    # A page whose blocks are no longer found would pass without a word.
    assert len(blocks) >= 30
    assert len(skipped) <= len(blocks) // 4
    assert {page.name for page in PAGES} >= {"README.md", "write-an-adapter.md", "operations.md"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```python\nassert 1 == 2\n```\n", "assert 1 == 2"),
        ("```sh\nfalse\n```\n", "ended with 1"),
        ("```sh\nfalse | true\n```\n", "ended with 1"),
        ("```rust\nfn main() {}\n```\n", "is not known"),
        ("```\nwhat is it\n```\n", "is not known"),
        ("<!-- not run: no -->\n```sh\nfalse\n```\n", "wants a reason"),
        ("<!-- run by: tests/nothing.py -->\n```sh\nfalse\n```\n", "is no file"),
        ('```python title="mink_core/events.py"\nnothing of the kind\n```\n', "not in mink_core/events.py"),
        ('```python title="test_it.py"\ndef test_it():\n    assert False\n```\n', "1 failed"),
        ('```python title="it.py"\nimport nothing_so_called\n```\n', "ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_is_seen(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text, "utf-8")
    with pytest.raises((AssertionError, SyntaxError)) as seen:
        Run(tmp_path, dict(os.environ)).page(blocks_of(tmp_path / "page.md"))
    assert told in "".join(traceback.format_exception(seen.value))


def test_what_a_page_may_do(tmp_path: Path) -> None:
    """Blocks go on where the one before ended; files stay; exports stay; await stands at the top."""
    text = (
        "<!-- one program -->\n```python\ndef two():\n```\nwhich is\n<!-- one program -->\n```python\n    return 2\n```\n"
        "```python\nassert two() == 2\n```\n"
        "```python\nimport asyncio\nthree = await asyncio.sleep(0, 3)\n```\n- ```python\n  assert three == 3\n  ```\n"
        "```sh\nexport WORD=kept\n```\n```sh\ntest $WORD = kept\n```\n"
        '```python title="it.py"\nfour = 4\n```\n'
        '```python title="test_it.py"\nfrom it import four\n\ndef test_it():\n    assert four == 4\n```\n'
        "```toml\na = 1\n```\n```text\nanything\n```\n<!-- not run: it needs a cluster -->\n```sh\nfalse\n```\n"
    )
    (tmp_path / "page.md").write_text(text, "utf-8")
    run = Run(tmp_path, dict(os.environ))
    run.page(blocks_of(tmp_path / "page.md"))
    assert (run.ran, run.skipped, run.elsewhere) == (10, 1, 0)
