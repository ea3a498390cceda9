"""Stores that are exported and imported: equal hashes, and marks that JetStream refuses."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime

import pytest

from mink_core import CapabilityNotSupportedError, ExpectedVersion, NewEvent, UsageError, open_store
from mink_core.administration import StreamMark
from mink_core.registry import open_administration
from mink_core.transfer import export, import_lines, verify

ANY = ExpectedVersion.ANY


def test_a_store_moves_in_and_out_with_equal_hashes(url, nats_url):
    with open_store(f"memory://{uuid.uuid4().hex}") as source:
        for number in range(1500):
            source.append(
                f"order-{number % 7}",
                [NewEvent("Placed", {"n": number}, {"m": 1.0} if number % 2 else None)],
                expected_version=ANY,
            )
        file = io.BytesIO()
        export(source, file.write)
    lines = file.getvalue().splitlines(keepends=True)
    for target in (url, f"{nats_url}/again_{uuid.uuid4().hex[:8]}"):
        with open_administration(target) as administration:
            administration.migrate()
            half = import_lines_of(lines[:900], administration)
            found = import_lines(lines, administration)
            assert (half, found.events, found.stored) == (899, 1500, 1500 - 899)
            assert import_lines(lines, administration).stored == 0
        with open_store(target) as store:
            verify(store, found.digests)
            out = io.BytesIO()
            export(store, out.write)
        lines = out.getvalue().splitlines(keepends=True)
    assert lines[-1] == file.getvalue().splitlines(keepends=True)[-1]  # the hash of the whole, in its order


@pytest.mark.parametrize("told_first", [True, False])
def test_marks_are_refused_before_an_event_is_stored(url, told_first):
    """What was deleted where it comes from would be read again."""
    with open_store(f"memory://{uuid.uuid4().hex}") as source:
        source.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
        file, marks = io.BytesIO(), [StreamMark("order-1", 1, 0, 1, datetime.now(UTC), None)]
        answers = [marks if told_first else [], marks]
        export(source, file.write, marks=lambda: answers.pop(0))
    with open_administration(url) as administration:
        administration.migrate()
        with pytest.raises(CapabilityNotSupportedError, match="1 streams"):
            import_lines(file.getvalue().splitlines(keepends=True), administration)
        # Deleted while it was exported: only the end of the file tells.
        assert administration.statistics().events == (0 if told_first else 1)


def import_lines_of(lines, administration) -> int:
    """What an import that ends early has stored."""
    with pytest.raises(UsageError, match="ends early"):
        import_lines(lines, administration)
    return administration.statistics().events
