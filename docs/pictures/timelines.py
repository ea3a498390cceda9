"""How other mechanisms lose an event, as timelines; `docs/generate.py` draws them.

A column is a session, time goes down. Each step is written `session | what it does | what came of it`; `!` at the
beginning marks the fault. The conformance kit draws them, as it draws the failures that it finds.
"""

from __future__ import annotations

import re

from pictures.sequence import STYLE

from conformance_tests.failure import Step
from conformance_tests.report.timeline import as_svg

TIMELINES = {
    "lost-by-a-plain-cursor": """
        T1 | INSERT into a-1 | position 3, open
        T2 | INSERT into b-1 | position 4
        T2 | COMMIT | 4 is visible
        reader | position > 2 | got 4
        T1 | COMMIT | 3 is visible
        ! reader | position > 4 | nothing: 3 is lost
    """,
    "lost-by-xmin-age": """
        T1 | lock a-1: transaction id 729 | the older id
        T2 | lock b-1: transaction id 730 | the newer id
        T2 | INSERT into b-1 | position 3
        T1 | INSERT into a-1 | position 4
        T1 | COMMIT | 4 is visible
        reader | ids below 730, position > 2 | got 4
        T2 | COMMIT | 3 is visible
        ! reader | position > 4 | nothing: 3 is lost
    """,
    "reordered-by-transaction-id": """
        T1 | write a read model: id 747 | the older id
        T2 | append a-1, version 1: id 748 | position 2
        T2 | COMMIT | version 1 is visible
        T1 | append a-1, version 2 | position 3
        T1 | COMMIT | version 2 is visible
        ! reader | ORDER BY id, position | (747) version 2, (748) version 1
    """,
    "lost-by-a-gap-timeout": """
        T1 | INSERT into a-1 | position 3, a slow client
        T2 | INSERT, COMMIT | position 4
        reader | position > 2 | got 4: 3 is missing
        reader | wait for the gap | 3 s are over
        reader | take 3 for dead | go on after 4
        T1 | COMMIT | 3 is visible
        ! reader | position > 4 | nothing: 3 is lost
    """,
    "lost-by-one-statement": """
        T1 | INSERT into a-1, locks 2 | position 3, open
        T2 | INSERT, COMMIT | position 4
        reader | one statement: its snapshot is taken | T1 is not in it
        T1 | COMMIT | 3 is visible, lock 2 is gone
        reader | same statement: look at the locks | none: the mark is 4
        ! reader | same statement: read up to 4 | got 4 from the old snapshot
    """,
    "lost-by-a-rewritten-row": """
        T0 | an old transaction, still open | id 800
        T1 | UPDATE the event at 3 | its row has id 801 now
        reader | ids below 800, position > 0 | got 1, 2, 4, 5
        reader | checkpoint | 5
        T0 | COMMIT | 3 is below the horizon
        ! reader | position > 5 | nothing: 3 is lost
    """,
    "kept-by-the-fence": """
        T1 | lock 2, INSERT into a-1 | position 3, open
        T2 | lock 3, INSERT into b-1 | position 4
        T2 | COMMIT | 4 is visible, lock 3 is gone
        reader | look: H = 4, M = 2; read to 2 | nothing yet
        T1 | COMMIT | 3 is visible, lock 2 is gone
        reader | look: H = 4, no lock; read to 4 | got 3, 4
    """,
}
_STYLE = (
    STYLE
    + """
text { font-size: 11px; }
.outcome { fill: var(--soft); }
.bar rect { fill: var(--panel); stroke: var(--soft); }
.fault rect { fill: var(--bad-bg); stroke: var(--bad); stroke-width: 2; }
"""
)


def steps_of(text: str) -> list[Step]:
    """The steps of one timeline, a second each."""
    lines = [line.strip() for line in text.strip().splitlines()]
    steps: list[Step] = []
    for number, line in enumerate(lines):
        marked, rest = line.startswith("!"), line.removeprefix("!").strip()
        actor, call, outcome = (part.strip() for part in rest.split(" | "))
        steps.append(Step(actor, call, outcome, 2 * number, 2 * number + 1, marked))
    return steps


def draw(text: str) -> str:
    """The picture of one timeline, on its own paper."""
    svg = as_svg(steps_of(text))
    width, height = re.findall(r'(?:width|height)="(\d+)"', svg)[:2]
    paper = f'<rect class="paper" x=".5" y=".5" width="{int(width) - 1}" height="{int(height) - 1}" rx="8"/>'
    head = f"<style>{_STYLE}</style>{paper}"
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{head}", 1) + "\n"
