"""A failure's calls as a picture: a column an actor, time going down, the calls at fault marked."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.failure import Step

_COLUMN, _GUTTER, _ROW, _HEAD = 250, 12, 15, 30
_LETTERS = 36
"""Characters of a line in a bar."""


def actors_of(steps: Sequence[Step]) -> list[str]:
    """The actors, in the order of their first calls."""
    return list(dict.fromkeys(step.actor for step in steps))


def _rows(steps: Sequence[Step]) -> dict[float, int]:
    """Moments as rows of one height: what matters is the order of beginnings and ends, not how long each took."""
    moments = sorted({step.begun for step in steps} | {step.ended for step in steps if step.ended is not None})
    return {moment: row for row, moment in enumerate(moments)}


def as_svg(steps: Sequence[Step]) -> str:
    """The picture, as an inline SVG that takes its colours from the page's style."""
    actors = actors_of(steps)
    rows = _rows(steps)
    last = len(rows) + 1
    width = len(actors) * (_COLUMN + _GUTTER) + _GUTTER
    height = _HEAD + (last + 2) * _ROW
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    label = f'role="img" aria-label="{len(steps)} calls of {len(actors)} actors"'
    parts = [f'<svg class="timeline" {size} {label}>']
    for number, actor in enumerate(actors):
        left = _GUTTER + number * (_COLUMN + _GUTTER)
        parts.append(f'<text class="actor" x="{left}" y="18">{escape(actor)}</text>')
        parts.append(f'<line class="lane" x1="{left}" y1="{_HEAD - 4}" x2="{left}" y2="{height - 4}"/>')
    for step in steps:
        left = _GUTTER + actors.index(step.actor) * (_COLUMN + _GUTTER)
        top = _HEAD + rows[step.begun] * _ROW
        end = last + 1 if step.ended is None else rows[step.ended]
        tall = max((end - rows[step.begun]) * _ROW - 2, 2 * _ROW - 2)
        kind = "bar fault" if step.at_fault else "bar"
        parts.append(f'<g class="{kind}"><title>{escape(f"{step.call} → {step.outcome}")}</title>')
        parts.append(f'<rect x="{left}" y="{top}" width="{_COLUMN}" height="{tall}" rx="3"/>')
        parts.append(f'<text x="{left + 6}" y="{top + 12}">{escape(_cut(step.call))}</text>')
        parts.append(
            f'<text class="outcome" x="{left + 6}" y="{top + 25}">{escape(_cut("→ " + (step.outcome or "…")))}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def as_text(steps: Sequence[Step], width: int = 100) -> str:
    """The picture in characters: a line for each beginning and end, the actors side by side."""
    actors = actors_of(steps)
    if len(actors) == 1:
        return "\n".join(f"{'>' if step.at_fault else ' '} {step.call} → {step.outcome}"[:width] for step in steps)
    column = max(18, (width - 2) // max(1, len(actors)))
    moments: list[tuple[float, int, str]] = []
    for step in steps:
        mark = "!" if step.at_fault else "┌"
        lane = actors.index(step.actor)
        moments.append((step.begun, lane, f"{mark} {step.call}"))
        if step.ended is not None:
            moments.append((step.ended, lane, f"{'!' if step.at_fault else '└'} {step.outcome}"))
    lines = ["".join(f"{actor:<{column}}" for actor in actors).rstrip()]
    running = [0] * len(actors)
    for _, lane, text in sorted(moments):
        cells = ["│" if running[number] else "" for number in range(len(actors))]
        running[lane] = 0 if running[lane] else 1
        cells[lane] = text[: column - 1]
        lines.append("".join(f"{cell:<{column}}" for cell in cells).rstrip())
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
