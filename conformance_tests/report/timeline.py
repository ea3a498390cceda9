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
_CLOCK, _NARROWEST = 10, 20
"""Characters of the time, and of the narrowest column."""


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
        parts.append(f'<text x="{left + 6}" y="{top + 11}">{escape(_cut(step.call))}</text>')
        parts.append(
            f'<text class="outcome" x="{left + 6}" y="{top + 23}">{escape(_cut("→ " + (step.outcome or "…")))}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def as_text(steps: Sequence[Step], width: int = 100) -> str:
    """The picture in characters: a line for each beginning `┌` and end `└`, the actors side by side.

    `!` marks the calls at fault; at the left are the milliseconds since the history began.
    """
    actors = actors_of(steps)
    column = max(_NARROWEST, (width - _CLOCK) // max(1, len(actors)))
    moments = [(step.begun, 1, step) for step in steps]
    # Of two moments that are one, the end comes first: the other call began after it.
    moments += [(step.ended, 0, step) for step in steps if step.ended is not None]
    lines = ["ms".rjust(_CLOCK - 2) + "  " + "".join(actor.ljust(column) for actor in actors).rstrip()]
    running: set[str] = set()
    for moment, begins, step in sorted(moments, key=lambda one: one[:2]):
        cells = [(" │" if actor in running else "").ljust(column) for actor in actors]
        text = f"{'!' if step.at_fault else ' '}{'┌' if begins else '└'} {step.call if begins else step.outcome}"
        cells[actors.index(step.actor)] = _cut(text, column - 1).ljust(column)
        lines.append(f"{moment * 1000:{_CLOCK - 2}.3f}  " + "".join(cells).rstrip())
        (running.add if begins else running.discard)(step.actor)
    return "\n".join(lines)


def _cut(text: str, most: int = _LETTERS) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
