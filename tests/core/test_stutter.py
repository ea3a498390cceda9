"""The machine that stands still: a program notices, goes on, and its status is told."""

from __future__ import annotations

import sys

import pytest

from tests import stutter

NOTICES = """
import subprocess, sys, time
if len(sys.argv) > 2:
    sys.exit(subprocess.call([sys.executable, "-c", sys.argv[2], sys.argv[1]]))
last = begun = time.monotonic()
while time.monotonic() < begun + 60:
    time.sleep(0.001)
    now = time.monotonic()
    if now - last > 0.25:
        sys.exit(int(sys.argv[1]))
    last = now
"""


@pytest.mark.parametrize("as_child", [False, True])
def test_a_program_and_its_children_stand_still(as_child: bool) -> None:
    command = [sys.executable, "-c", NOTICES, "7", *([NOTICES] if as_child else [])]
    assert stutter.run(command, shortest=0.3, longest=0.4, every=0.1) == 7
