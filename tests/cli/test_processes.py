"""Pipes, signals and terminals, by real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys

import pytest

from tests.cli.programs import MEMORY, finish, start

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_a_closed_pipe_ends_quietly() -> None:
    code = "put(1); store.append('big-1', [NewEvent('A', 'y' * 1000) for _ in range(5000)], expected_version=0)"
    with start(code + "\nsys.exit(mink('read'))") as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        first = reader.stdout.readline()
        reader.stdout.close()
        assert json.loads(first)["data"] == {"n": 1}
        assert reader.wait(60) == 0
        assert reader.stderr.read() == b""


def test_whoever_reads_the_results_no_more_stops_no_append() -> None:
    code = """
try: mink('append', 'all-1', '--expect', 'any', '--batch', '2')
except SystemExit as end: sys.stderr.write(f"{end.code or 0} {len(list(store.read_stream('all-1')))}")
"""
    with start(code) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stderr is not None
        line = b'{"type": "A", "data": 1}\n'
        writer.stdin.write(line * 2)
        writer.stdin.flush()
        assert json.loads(writer.stdout.readline())["last_version"] == 2
        writer.stdout.close()
        writer.stdin.write(line * 8)
        writer.stdin.close()
        assert writer.stderr.read() == b"0 10"
        assert writer.wait(60) == 0


def test_streams_that_are_closed_from_the_start_stop_no_append() -> None:
    """As a process that runs by itself may be started."""
    code = """
try: mink('append', 'order-1', '--expect', 'none', '--type', 'A', '--data', '1')
except SystemExit as end: os._exit(end.code or len(list(store.read_stream('order-1'))) + 40)
"""
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", f"import os\n{MEMORY}{code}"]
    assert subprocess.run(closed, check=False, timeout=60).returncode == 41


def test_a_pipe_gets_each_batch_at_once() -> None:
    # The second event is made when the first one was seen here: were that held back, neither would ever come.
    code = "put(1); threading.Thread(target=lambda: (sys.stdin.readline(), put(1)), daemon=True).start()"
    follower = start(f"{code}\nsys.exit(mink('tail', '--after', '0'))")
    assert follower.stdin is not None
    assert follower.stdout is not None
    for number in (1, 2):
        assert select.select([follower.stdout], [], [], 60)[0], f"event {number} was held back"
        assert json.loads(follower.stdout.readline())["data"] == {"n": number}
        follower.stdin.write(b"\n")
        follower.stdin.flush()
    follower.send_signal(signal.SIGINT)
    assert finish(follower)[0] == 0


def test_tail_ends_well_on_ctrl_c() -> None:
    follower = start("put(2); sys.exit(mink('tail', '--after', '1'))")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["data"] == {"n": 2}
    follower.send_signal(signal.SIGINT)
    assert finish(follower) == (0, "", "")


def test_tail_begins_now_unless_told_otherwise() -> None:
    code = """
from mink_memory.store import MemoryEventStore
put(2)
head = MemoryEventStore.head_position
def asked(self):
    found = head(self)
    put(2)
    return found
MemoryEventStore.head_position = asked
sys.exit(mink('tail', '--limit', '2'{more}))
"""
    for more in ("", ", '--from-now'"):
        status, out, err = finish(start(code.format(more=more)))
        assert (status, err) == (0, "")
        assert [json.loads(line)["data"]["n"] for line in out.splitlines()] == [3, 4]


def test_tail_filters_and_stops_within_a_batch() -> None:
    status, out, _ = finish(
        start("put(3, 'a-1'); put(3, 'b-1'); sys.exit(mink('tail', '--after', '0', '--category', 'b', '--limit', '2'))")
    )
    assert status == 0
    assert [(it["stream_id"], it["version"]) for it in map(json.loads, out.splitlines())] == [("b-1", 1), ("b-1", 2)]


@pytest.mark.parametrize("args", ["'--after', '0', '--from-now'", "'--limit', '-1'", "'--poll-interval', '0'"])
def test_tail_refuses_wrong_arguments(args: str) -> None:
    status, out, err = finish(start(f"sys.exit(mink('tail', {args}))"))
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_tail_goes_on_after_a_passing_fault_and_says_so() -> None:
    code = """
from mink_core import TransientStorageError
from mink_memory.store import MemoryEventStore
polls, poll = [], MemoryEventStore.poll
def faulty(self, *args, **options):
    polls.append(1)
    if len(polls) in (2, 3):
        put(len(polls) - 2)
        raise TransientStorageError("the server went away")
    return poll(self, *args, **options)
MemoryEventStore.poll = faulty
put(3)
sys.exit(mink('tail', '--after', '1', '--limit', '3'))
"""
    status, out, err = finish(start(code))
    assert status == 0
    assert [json.loads(line)["data"]["n"] for line in out.splitlines()] == [2, 3, 4]
    assert err.count("the server went away; trying again in") == 2


def test_a_stream_goes_through_a_pipe_from_store_to_store() -> None:
    source = start("put(250, price=1.0, note='é'); sys.exit(mink('read', 'order-1'))")
    target = start(
        "\nfor args in (['append', 'copy-1', '--expect', 'none'], ['read', 'copy-1']):\n"
        "    try: mink(*args)\n"
        "    except SystemExit as end: assert end.code in (0, None), end\n",
        stdin=source.stdout,
    )
    assert source.stdout is not None
    source.stdout.close()
    source.stdout = None
    status, out, err = finish(target)
    assert (status, err) == (0, "")
    result, *copies = map(json.loads, out.splitlines())
    assert (result["first_version"], result["last_version"]) == (1, 250)
    assert [it["data"] for it in copies] == [{"n": n, "price": 1.0, "note": "é"} for n in range(1, 251)]
    assert type(copies[0]["data"]["price"]) is float
    assert finish(source)[0] == 0


def test_without_the_extra_one_line_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['{gone}'] = None\nfrom mink_core.cli import main\nsys.exit(main())"
    for gone in ("typer", "rich", "rich.console"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(gone=gone), "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr == "mink: the command line is not installed: pip install 'mink-eventstore[cli]'\n"


def _on_a_terminal(code: str, environment: dict[str, str] | None = None) -> str:
    controller, terminal = pty.openpty()
    process = start(code, stdout=terminal, extra={"COLUMNS": "100", "TERM": "xterm"} | (environment or {}))
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(controller)
    assert finish(process)[0] == 0
    return shown.decode()


def test_people_get_tables_in_colour_and_programs_get_lines() -> None:
    code = "put(150); sys.exit(mink('read'{more}))"
    shown = _on_a_terminal(code.format(more=""))
    plain = _COLOUR.sub("", shown)
    assert plain != shown, "no colour on a terminal"
    assert plain.count("Position") == 1, "one heading however many batches"
    rows = plain.splitlines()
    assert len(rows) == 151
    assert rows[150].split()[0] == "150"
    assert '{"n":150}' in rows[150]
    assert len({row.index('{"n"') for row in rows[1:]}) == 1, "columns stay where they are"
    lines = _on_a_terminal(code.format(more=", '--json'")).splitlines()
    assert [json.loads(line)["version"] for line in lines] == list(range(1, 151))


@pytest.mark.parametrize("command", ["'init'", "'info'", "'info', 'order-1'", "'streams'"])
def test_tables_of_the_other_commands(command: str) -> None:
    code = f"put(3); sys.exit(mink({command}))"
    shown = _on_a_terminal(code)
    assert "{" not in shown
    assert "memory://shared" in shown or "order-1" in shown
    status, out, _ = finish(start(code))
    assert status == 0
    assert json.loads(out)


def test_no_colour_where_it_is_not_wanted() -> None:
    shown = _on_a_terminal("put(1); sys.exit(mink('read'))", {"NO_COLOR": "1", "TERM": "dumb"})
    assert "\x1b" not in shown


def test_a_terminal_is_not_obeyed_by_what_is_stored() -> None:
    code = "put(1, text='[bold]a\\x1b[2J\\x9b2J\\x7f'); sys.exit(mink('read'))"
    shown = _COLOUR.sub("", _on_a_terminal(code, {"COLUMNS": "200"}))
    assert "[bold]a" in shown
    assert not {"\x1b", "\x9b", "\x7f"} & set(shown)


def test_what_a_terminal_cannot_show_is_written_out() -> None:
    said = _on_a_terminal("put(1, 'größe-1')\nsys.exit(mink('streams'))", {"PYTHONIOENCODING": "ascii"})
    assert r"gr\xf6\xdfe-1" in said


def test_appending_from_a_terminal_says_what_it_waits_for() -> None:
    controller, terminal = pty.openpty()
    process = start("sys.exit(mink('append', 'a-1', '--expect', 'none'))", stdin=terminal)
    os.close(terminal)
    os.write(controller, b'{"type": "A", "data": 1}\n\x04')
    out, err = process.communicate(timeout=60)
    os.close(controller)
    assert process.returncode == 0, err
    assert b"Ctrl-D" in err
    assert json.loads(out)["last_version"] == 1


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mink_core.cli", "--store", "memory://", "info"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["adapter"] == "memory"
