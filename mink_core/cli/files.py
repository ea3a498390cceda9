"""Files of lines, compressed where their name ends in .zst, and how far a command is with them."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mink_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STANDARD = "-"
"""Standard input or output."""


def is_compressed(name: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return name.endswith(".zst")


@contextmanager
def opened(name: str, mode: str) -> Generator[IO[bytes]]:
    """Open a file, or standard input or output, for bytes.

    Args:
        name: The file, or `-`.
        mode: `rb`, `wb`, `xb` or `r+b`.

    Raises:
        UsageError: There is no such file or folder, or it may not be opened; or the name asks for compression, and
            the extra is not installed.
    """
    with ExitStack() as stack:
        if name == STANDARD:
            file: IO[bytes] = sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
            if mode != "rb" and isinstance(file, io.RawIOBase):  # PYTHONUNBUFFERED: a write may take a part only
                file = io.BufferedWriter(file)
                stack.callback(file.detach)
        else:
            file = stack.enter_context(_open(name, mode))
        if is_compressed(name):
            zstd = _zstd()
            if mode == "rb":
                # Buffered: the reader by itself gives no lines. Across frames: files may be put together.
                file = io.BufferedReader(zstd.ZstdDecompressor().stream_reader(file, read_across_frames=True))
            else:
                file = stack.enter_context(zstd.ZstdCompressor().stream_writer(file, closefd=False))
            stack.enter_context(_naming_the_damage(name, zstd.ZstdError))
        yield file
        if name == STANDARD and mode != "rb":
            file.flush()


def _open(name: str, mode: str) -> IO[bytes]:
    try:
        return Path(name).open(mode)  # pyright: ignore[reportReturnType] -- a binary mode
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        msg = f"{name} cannot be opened: {error.strerror}"
        raise UsageError(msg) from error


@contextmanager
def _naming_the_damage(name: str, error: type[Exception]) -> Generator[None]:
    try:
        yield
    except error as damage:
        msg = f"{name} cannot be decompressed: {damage}"
        raise UsageError(msg) from None


def _zstd() -> Any:
    try:
        return import_module("zstandard")
    except ModuleNotFoundError:
        msg = "a file that ends in .zst needs 'zstandard', which is not installed: pip install 'mink-eventstore[zstd]'"
        raise UsageError(msg) from None


@contextmanager
def progress_bar(label: str) -> Generator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal; told the position reached and the last one."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(label, total=None)

        def tell(position: int, last: int) -> None:
            progress.update(task, completed=position, total=last or None)

        yield tell
