"""The contract as a test class, for a project's own pytest run.

Example:
    from conformance_tests.suite import ConformanceSuite

    class TestMyStore(ConformanceSuite):
        @staticmethod
        def open(namespace: str) -> MyStore:
            return MyStore(folder / namespace)

In place of `open`, `target` may name a URL or a callable. `level`, `seed` and `door` may be set as
well; `open.drop`, a function, removes a namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.check import Check
    from conformance_tests.target import Door


class ConformanceSuite:
    """A test a check. Subclass it under a name that begins with `Test`."""

    target: ClassVar[str | None] = None
    """A URL or `package.module:callable`, where there is no `open`."""
    level: ClassVar[str | None] = None
    """`smoke`, `standard` or `deep`; the option `--mink-level` unless set."""
    seed: ClassVar[int | None] = None
    """Of all that is drawn; the option `--mink-seed` unless set."""
    door: ClassVar[Door | None] = None
    """For a URL that has both, the sync or the async store."""

    def test_rule(self, mink_check: Check, mink_run: Callable[[Check], None]) -> None:
        """Each check of the level."""
        mink_run(mink_check)
