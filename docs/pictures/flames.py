"""Makes replay.svg and append.svg: where the client's processor time goes, as flame graphs.

Needs py-spy, and Linux or macOS. Each picture is of a child process that py-spy samples while it has the processor:

    python docs/pictures/flames.py postgresql://localhost/scratch

The schema `mink_flames` of that database is filled, and dropped at the end.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import psycopg

from mink_benchmarks.workload import Workload, share
from mink_core import ExpectedVersion, StreamAppend
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

SCHEMA = "mink_flames"
SECONDS = 12
CALLERS = 64
WIDTH, ROW, LETTER, SHORTEST = 1200, 17, 6.1, 3
COLOURS = {
    "mink_core": "#8ecae6",
    "mink_postgres": "#5fb49c",
    "psycopg": "#f4a259",
    "asyncpg": "#f4a259",
    "asyncio": "#e5d352",
    "threading": "#e5d352",
}
REST = "#d9d9d9"


def replay(url: str, until: float) -> None:
    """Read the whole log by psycopg, and look at each event."""
    with PostgresEventStore(url, schema=SCHEMA) as store:
        while time.monotonic() < until:
            for event in store.read_all():
                _ = event.data, event.metadata


def append_by_threads(url: str, until: float) -> None:
    """Append by psycopg from as many threads as callers."""
    workload = Workload()
    with PostgresEventStore(url, schema=SCHEMA) as store:

        def caller(number: int) -> None:
            pick, mine = random.Random(number).choice, share(number, CALLERS)
            while time.monotonic() < until:
                store.append(pick(mine), workload.events(1), expected_version=ExpectedVersion.ANY)

        threads = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def append_by_tasks(url: str, until: float) -> None:
    """Append by asyncpg from as many tasks as callers."""
    workload = Workload()

    async def main() -> None:
        async with AsyncPostgresEventStore(url, schema=SCHEMA, driver="asyncpg") as store:

            async def caller(number: int) -> None:
                pick, mine = random.Random(number).choice, share(number, CALLERS)
                while time.monotonic() < until:
                    await store.append(pick(mine), workload.events(1), expected_version=ExpectedVersion.ANY)

            await asyncio.gather(*(caller(number) for number in range(CALLERS)))

    asyncio.run(main())


PICTURES = {
    "replay": (replay, ": replay", [], "A replay by psycopg, each event looked at: the client's processor time"),
    "append": (
        append_by_tasks,
        "asyncio.events: Handle._run",
        [],
        "Appends of one event by asyncpg, 64 tasks: the client's processor time",
    ),
    "append-threads": (
        append_by_threads,
        ".caller",
        ["--gil"],
        "Appends of one event by psycopg, 64 threads: who has the interpreter's lock",
    ),
}
"""By name: what runs, the function that the picture begins with, what py-spy is told, and the title."""


def fill(url: str) -> None:
    """Make the streams to append to, and a log to read."""
    workload = Workload()
    with PostgresEventStore(url, schema=SCHEMA) as store:
        store.initialize()
        if store.head_position() == 0:
            for number in range(500):
                store.append(f"log-{number}", workload.events(100), expected_version=ExpectedVersion.NO_STREAM)
            store.append_batch([StreamAppend(name, workload.events(1), ExpectedVersion.ANY) for name in share(0, 1)])


def sampled(url: str, name: str) -> list[tuple[list[str], int]]:
    """Stacks, outermost first, with how often each was seen."""
    with tempfile.NamedTemporaryFile("r", suffix=".folded") as folded:
        command = ["py-spy", "record", "--rate", "400", "--format", "raw", "--function", "--output", folded.name]
        command += PICTURES[name][2]
        subprocess.run([*command, "--", sys.executable, __file__, url, name], check=True, capture_output=True)
        lines = [line.rpartition(" ") for line in folded.read().splitlines()]
    return [([_named(part) for part in stack.split(";")], int(count)) for stack, _, count in lines]


def _named(frame: str) -> str:
    """A frame without any path of this machine: `module: function`."""
    function, found, place = frame.rstrip(")").partition(" (")
    if not found or not place:
        return frame
    parts = Path(place.partition(":")[0]).with_suffix("").parts
    known = [index for index, part in enumerate(parts) if part.partition("_binary")[0] in COLOURS]
    module = ".".join(parts[known[0] :] if known else parts[-1:])
    return f"{module.removesuffix('.__init__')}: {function.replace('<locals>.', '')}"


@dataclass
class Frame:
    """One box: a function with what it called."""

    count: int = 0
    inner: dict[str, Frame] = field(default_factory=dict)


def gathered(stacks: list[tuple[list[str], int]], entry: str) -> Frame:
    """Merge the stacks from the caller's function on; what is above it is the same for all."""
    root = Frame()
    for stack, count in stacks:
        start = next((index for index, name in enumerate(stack) if name.endswith(entry)), None)
        if start is None or any(name.endswith(": _find_and_load") for name in stack):
            continue  # an import is paid for once
        frame = root
        frame.count += count
        for name in stack[start:]:
            frame = frame.inner.setdefault(name, Frame())
            frame.count += count
    return root


def boxes(frame: Frame, left: float, depth: int, total: int, drawn: list[str]) -> int:
    """Draw what a frame called, widest first; returns how deep it went."""
    deepest = depth
    for name, inner in sorted(frame.inner.items(), key=lambda item: -item[1].count):
        width = WIDTH * inner.count / total
        if width >= 1:
            colour = next((found for prefix, found in COLOURS.items() if name.startswith(prefix)), REST)
            share_of = f"{100 * inner.count / total:.1f} %"
            text = name if len(name) * LETTER < width - 6 else name.partition(": ")[2]
            room = max(int((width - 6) / LETTER), 0)
            label = text if len(text) <= room else f"{text[: room - 1]}…" if room > SHORTEST else ""
            drawn.append(
                f'<g><title>{escape(name)} ({share_of})</title><rect x="{left:.1f}" y="{{{depth}}}" '
                f'width="{width:.1f}" height="{ROW - 1}" fill="{colour}" rx="1"/>'
                f'<text x="{left + 3:.1f}" y="{{{depth}}}" dy="12">{escape(label)}</text></g>'
            )
            deepest = max(deepest, boxes(inner, left, depth + 1, total, drawn))
        left += width
    return deepest


def picture(root: Frame, title: str) -> str:
    """The SVG: callers below, called above, as wide as their share of the samples."""
    drawn: list[str] = []
    deepest = boxes(root, 0, 0, root.count, drawn)
    height = 40 + deepest * ROW + 24
    rows = [height - 24 - (depth + 1) * ROW for depth in range(deepest + 1)]
    body = "\n".join(drawn)
    for depth, top in enumerate(rows):
        body = body.replace(f'"{{{depth}}}"', f'"{top}"')
    legend = "blue: mink_core · green: mink_postgres · orange: the driver · yellow: asyncio, threading · grey: the rest"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="4" y="16" font-size="14">{escape(title)}</text>\n'
        f'<text x="4" y="{height - 8}" fill="#555555">{escape(legend)}</text>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Draw all, or be the process that is looked at."""
    url, *rest = sys.argv[1:]
    if rest and rest[0] in PICTURES:
        PICTURES[rest[0]][0](url, time.monotonic() + SECONDS)
        return
    fill(url)
    for name, (_, entry, _, title) in PICTURES.items():
        root = gathered(sampled(url, name), entry)
        Path(__file__).with_name(f"{name}.svg").write_text(picture(root, title))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


if __name__ == "__main__":
    main()
