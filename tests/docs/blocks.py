"""The code blocks of the Markdown pages, found by Sybil: which are run, and how. See CONTRIBUTING.md."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Document, Region
from sybil.evaluators.python import pad
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_INFO = re.compile(r"(?P<language>[\w+-]*)(?P<options>[^\n]*)\n")
_MARK = re.compile(
    r"<!--\s*(?P<word>not run|run by|one program)(?::\s*(?P<text>(?:(?!-->).)*?))?\s*-->\s*\Z", re.DOTALL
)
_TITLE = re.compile(r"""title=(["'])(?P<title>.+?)\1""")
_OUTPUT = {"text", "mermaid"}
"""Languages of what is looked at, not run."""
SECONDS = 120
"""How long a command may take."""


def pages() -> list[Path]:
    """The README, the guides, and the examples' own pages."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    return sorted(path for path in found if path.name != "CHANGELOG.md")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the mark in front of it."""

    path: Path
    page: str
    line: int
    language: str
    source: str
    title: str | None = None
    excerpt: str | None = None
    mark: str | None = None
    reason: str = ""
    parts: int = 1
    """How many blocks of the page it is made of."""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a page that are code. What a program prints is `text`."""
    page = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    document = Document.parse(str(path), RawFencedCodeBlockLexer(_INFO))
    blocks = [_block(path, page, example) for example in document]
    return [block for block in blocks if block.language not in _OUTPUT]


def _block(path: Path, page: str, example: Any) -> Block:
    region: Region = example.region
    text: str = example.document.text[region.start : region.end]
    language, options = region.lexemes["language"], region.lexemes["options"]
    mark = _MARK.search(example.document.text[: region.start])
    found = _TITLE.search(options)
    title = found["title"] if found else None
    # A title that names a file of the repository says where the lines stand; any other one, what to call them.
    of_ours = title is not None and (ROOT / title).is_file()
    return Block(
        path,
        page,
        example.line,
        language,
        _source(text),
        None if of_ours else title,
        title if of_ours else None,
        mark["word"] if mark else None,
        " ".join((mark["text"] or "").split()) if mark else "",
    )


def _source(text: str) -> str:
    """What stands between the fences, without the fences' own indentation; Sybil's lexeme has none at all."""
    first, *lines = text.splitlines()
    indentation = len(first) - len(first.lstrip(" >-*"))
    return "".join(f"{line[indentation:]}\n" for line in lines[:-1])


@dataclass
class Run:
    """A page's blocks, run from its first to its last, in one folder and one namespace."""

    folder: Path
    environment: dict[str, str]
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__page__"})
    ran: int = 0
    skipped: int = 0
    elsewhere: int = 0

    def page(self, blocks: list[Block]) -> None:
        """Run the page.

        Raises:
            AssertionError: A block failed, or says neither what it is nor why it is not run.
        """
        for block in _joined(blocks):
            if block.mark == "not run":
                assert len(block.reason) >= 8, f"{block.place}: <!-- not run: --> wants a reason"
                self.skipped += 1
            elif block.mark == "run by":
                test = ROOT / block.reason
                assert test.is_file(), f"{block.place}: <!-- run by: --> names {block.reason}, which is no file"
                assert Path(block.page).name in test.read_text("utf-8"), f"{block.reason} does not know {block.page}"
                self.elsewhere += 1
            else:
                self._run(block)
                self.ran += block.parts

    def _run(self, block: Block) -> None:
        if block.excerpt:
            assert block.source in (ROOT / block.excerpt).read_text("utf-8"), f"{block.place}: not in {block.excerpt}"
        elif block.title:
            self._write(block, block.title)
        elif block.language in {"python", "py"}:
            self._python(block)
        elif block.language in {"sh", "bash", "shell", "console"}:
            self._shell(block)
        elif block.language == "toml":
            tomllib.loads(block.source)
        elif block.language == "json":
            json.loads(block.source)
        else:
            message = f"{block.place}: a block of {block.language or 'no language'} is not known: see CONTRIBUTING.md"
            raise AssertionError(message)

    def _python(self, block: Block) -> None:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(pad(block.source, block.line), str(block.path), "exec", flags=flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, self.namespace))
        else:
            exec(code, self.namespace)

    def _write(self, block: Block, title: str) -> None:
        """A file of the reader's: kept for the blocks that follow; a module is imported, a test is run."""
        path = self.folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.source, "utf-8")
        if path.name.startswith("test_") and path.suffix == ".py":
            self._command(block, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", title])
        elif path.suffix == ".py" and path.name != "conftest.py":
            self._command(block, [sys.executable, "-c", f"import runpy; runpy.run_path({title!r}, run_name='module')"])

    def _shell(self, block: Block) -> None:
        # What a block exports goes on to the page's next one, as in the reader's terminal.
        script = f"[ -e .exports ] && . ./.exports; set -eo pipefail; trap 'export -p > .exports' EXIT\n{block.source}"
        self._command(block, ["bash", "-c", script])

    def _command(self, block: Block, command: list[str]) -> None:
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                # The shell's own children too: nothing outlives its block.
                os.killpg(process.pid, signal.SIGKILL)
                said = f"{process.communicate()[0]}\nkilled after {SECONDS} s"
        assert process.returncode == 0, f"{block.place} ended with {process.returncode}\n{said}"


def _joined(blocks: list[Block]) -> Iterator[Block]:
    """The blocks, those of one program as one block."""
    program = [block for block in blocks if block.mark == "one program"]
    for block in blocks:
        if block not in program:
            yield block
        elif block is program[0]:
            lines = "\n".join(part.source for part in program)
            yield Block(block.path, block.page, block.line, block.language, lines, parts=len(program))
