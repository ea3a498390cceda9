"""docs/kill-matrix.md is what `python -m tests.matrix --write` writes."""

from __future__ import annotations

from conformance_tests.zoo.matrix import Trial
from tests.matrix import HEAD, PAGE, page_of
from tests.zoo.bases import ON_MEMORY


def test_the_page_begins_as_it_is_written():
    assert PAGE.read_text("utf-8").startswith(HEAD + "\n")


def test_paragraphs_are_one_line_apart():
    trials = [Trial(member, ()) for member in ON_MEMORY[:2]]
    for page in (page_of("Figures.", trials, trials), PAGE.read_text("utf-8")):
        assert page.startswith(HEAD + "\n")
        assert "\n\n\n" not in page
        assert page.endswith("\n")
        assert not page.endswith("\n\n")
