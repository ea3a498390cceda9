r"""Sequence diagrams made from text; `docs/generate.py` draws every .txt of this folder as .svg.

    store, append(), tables          the actors, left to right
    store -> append(): a call        an arrow
    append() --> store: an answer    a dashed arrow
    tables: a step                   a note at the actor's line; `\` breaks a line
    = a line over all of them

The picture brings its own paper, so that it is readable on a light and on a dark page.
"""

from __future__ import annotations

from html import escape

_COLUMN, _HEAD, _LINE = 220, 46, 15
STYLE = """
svg { --ink: #1c1e21; --soft: #5b6168; --paper: #ffffff; --panel: #eef1f4; --line: #c4c9cf; --bad: #a3261b; --bad-bg: #fbe0dd; }
@media (prefers-color-scheme: dark) {
svg { --ink: #e8eaed; --soft: #a9afb6; --paper: #1b1e22; --panel: #2a2e34; --line: #4a5058; --bad: #ff9d94; --bad-bg: #471b17; } }
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; fill: var(--ink); }
.paper { fill: var(--paper); stroke: var(--line); }
.actor, .title { font-weight: 700; }
.soft { fill: var(--soft); }
.lane { stroke: var(--line); }
.note { fill: var(--panel); stroke: var(--line); }
.arrow { stroke: var(--ink); fill: none; stroke-width: 1.3; }
.back { stroke-dasharray: 5 4; }
.tip { fill: var(--ink); }
"""


def draw(text: str) -> str:
    """The picture of one diagram."""
    head, *lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    actors = [name.strip() for name in head.split(",")]
    at = {name: _COLUMN // 2 + number * _COLUMN for number, name in enumerate(actors)}
    width = _COLUMN * len(actors)
    parts: list[str] = []
    y = _HEAD + 8
    for line in lines:
        drawn, tall = _drawn(line, at, y, width)
        parts += drawn
        y += tall
    height = y + 8
    top = [f'<text class="actor" x="{x}" y="24" text-anchor="middle">{escape(name)}</text>' for name, x in at.items()]
    lanes = [f'<line class="lane" x1="{x}" y1="34" x2="{x}" y2="{height - 8}"/>' for x in at.values()]
    return framed([*lanes, *top, *parts], width, height, " · ".join(actors))


def framed(parts: list[str], width: int, height: int, label: str) -> str:
    """Parts on paper, as a file of its own."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    paper = f'<rect class="paper" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(label)}">'
        f"<style>{STYLE}</style>\n" + "\n".join([paper, *parts]) + "\n</svg>\n"
    )


def _drawn(line: str, at: dict[str, int], y: int, width: int) -> tuple[list[str], int]:
    if line.startswith("="):
        said = escape(line[1:].strip())
        rule = f'<line class="lane back" x1="10" y1="{y + 6}" x2="{width - 10}" y2="{y + 6}"/>'
        return [rule, f'<text class="soft" x="14" y="{y + 22}">{said}</text>'], 34
    who, _, said = line.partition(": ")
    rows = [row.strip() for row in said.split("\\")]
    if ">" not in who:
        x, wide = at[who.strip()], int(max(map(len, rows)) * 7.3 + 14)
        left = min(max(x - wide // 2, 6), width - wide - 6)
        box = f'<rect class="note" x="{left}" y="{y}" width="{wide}" height="{len(rows) * _LINE + 8}" rx="4"/>'
        return [box, *_rows(rows, left + 7, y + 15, "start")], len(rows) * _LINE + 18
    back = "-->" in who
    begins, ends = (at[name.strip()] for name in who.split("-->" if back else "->"))
    side = 1 if ends > begins else -1
    low = y + len(rows) * _LINE + 3
    tip = f"{ends},{low} {ends - 8 * side},{low - 4} {ends - 8 * side},{low + 4}"
    arrow = f'<line class="arrow{" back" if back else ""}" x1="{begins}" y1="{low}" x2="{ends - 6 * side}" y2="{low}"/>'
    x = min(begins, ends) + 8
    return [arrow, f'<polygon class="tip" points="{tip}"/>', *_rows(rows, x, y + 11, "start")], len(rows) * _LINE + 16


def _rows(rows: list[str], x: int, y: int, anchor: str) -> list[str]:
    return [
        f'<text x="{x}" y="{y + number * _LINE}" text-anchor="{anchor}">{escape(row)}</text>'
        for number, row in enumerate(rows)
    ]
