"""Programs that fork, each in a process of its own: a fork of the tests' own would have all that they have."""

from __future__ import annotations

import subprocess
import sys
import textwrap

HEAD = """
import asyncio, gc, os, signal, sys, threading, traceback
from contextlib import contextmanager
from mink_core import ExpectedVersion, NewEvent, Projection, StoreClosedError, UsageError, open_async_store, open_store
signal.alarm(60)  # what hangs is ended, also in a child: not by faulthandler, which a fork breaks
ANY = ExpectedVersion.ANY
NEW = [NewEvent("Made", {})]
leave = sys.exit

def forked(child):
    'Run it in a child, to the end of its process as of any other; gives its exit status.'
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.alarm(40)
    try:
        child()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    leave(0)

@contextmanager
def refused(match="forked", kind=UsageError):
    'Of a call, awaited or not, that must be refused and told so.'
    try:
        yield
    except kind as error:
        assert match in str(error) and "nothing was" in str(error), error
    else:
        raise AssertionError("it was not refused")
"""


def run(*parts: str, argument: str = "", says: str = "") -> None:
    """Run a program, which may say something of that kind on the way."""
    text = "\n".join([HEAD, *(textwrap.dedent(part) for part in parts)])
    # Python warns of a fork beside other threads from 3.12 on.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert not done.returncode, done.stderr
    assert not done.stderr or (says and says in done.stderr), done.stderr
