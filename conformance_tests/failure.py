"""What a check says when a rule is broken."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Step:
    """One call of a history, for the timeline of a failure: a column an actor, a bar a call."""

    actor: str
    call: str
    """The call as it would be written, shortened."""
    outcome: str
    """What it gave or raised, shortened; empty while it had not ended."""
    begun: float
    """Seconds since the history began."""
    ended: float | None
    """None where it did not end."""
    at_fault: bool = False
    """Whether it is among those that contradict the rule."""


@dataclass(eq=False)
class CheckFailedError(AssertionError):
    """A rule is broken."""

    what: str
    """What was looked at, in a sentence."""
    expected: Any
    seen: Any
    timeline: Sequence[Step] = ()
    """The calls that led to it, the shrunk ones where the check shrinks."""
    replay: Any = None
    """JSON that the check takes back as `lab.replay` to do exactly the same again."""
    notes: list[str] = field(default_factory=list)
    rule: str = ""
    """Which of the check's rules is broken, where it knows; its first one otherwise."""

    def __str__(self) -> str:
        """All of it, in lines."""
        lines = [self.what, f"  expected: {_short(self.expected)}", f"  seen:     {_short(self.seen)}"]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def tell(value: object) -> str:
    """The text of anything that an adapter made: what cannot be made text, or be printed, stops no report."""
    try:
        text = value if isinstance(value, str) else str(value) if isinstance(value, BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 -- the failure is another one, and is to be told
        text = f"<a {type(value).__name__} whose text raised {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def origin(error: BaseException) -> str:
    """An error in one line: its class, its text, and where it was raised."""
    # A syntax error names its line itself; the frame is the importer's.
    frames = [] if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {tell(error)}{place}"


def _short(value: object) -> str:
    text = tell(value)
    return text if len(text) <= 1000 else f"{text[:600]} … {text[-200:]} ({len(text)} characters)"  # noqa: PLR2004
