"""The machine that stands still: a program notices, goes on, and its status is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

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


def test_nobody_stands_still_for_ever_once_it_was_ended() -> None:
    """As by a time limit: what it had stopped would never end, and a server that waits for its users' end neither."""
    command = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(100)"]
    options = ["--shortest", "50", "--longest", "60", "--every", "0.1"]
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.stutter", *options, "--", *command], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    with started.stdout:
        assert started.stdout.readline() == "begun\n"
        time.sleep(1)
        started.terminate()
        assert started.stdout.read() == ""  # at its end, which the command's own is: both have it open
    assert started.wait(60) == 128 + signal.SIGTERM
