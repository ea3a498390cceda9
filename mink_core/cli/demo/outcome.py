"""What a run on one store comes to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """One thing that must hold."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class Latency:
    """How one door took appends of one event, each waiting for its reply."""

    door: str
    callers: int
    appends: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Appends a second, of all callers together."""
        return self.appends / self.seconds


@dataclass
class Outcome:
    """All of it."""

    adapter: str
    seconds: float = 0.0
    """From opening the store to closing it."""
    counts: dict[str, int] = field(default_factory=dict)
    """What was done, in words, and how often."""
    checks: list[Check] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every check did."""
        return all(check.held for check in self.checks)
