"""What a store holds is shown in tables, and gives a terminal no orders."""

from __future__ import annotations

import pytest
from rich.console import Console

from mink_core import FeedHolder, FeedStatus
from mink_core.cli.commands.info import _tell_holders
from mink_core.cli.output import Column, Printer, View, printable
from mink_core.cli.session import Session

ORDERS = "[red]a\x1b[2J\x9b2J\x7f\r\nb\u202ec"
SHOWN = "[red]a\\u001b[2J\\u009b2J\\u007f  b\\u202ec"


def test_printable() -> None:
    assert printable(ORDERS) == SHOWN
    assert printable("Größe: 1 €") == "Größe: 1 €"


def test_cells_of_every_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    view: View[str] = View(lambda text: {"text": text}, [Column("Text", share=1)], lambda text: [text])
    monkeypatch.setattr("mink_core.cli.output.Console", lambda: Console(width=80, color_system=None))
    Printer(Session(), view).batch([ORDERS])
    assert capsys.readouterr().out.splitlines()[1].rstrip() == SHOWN


def test_what_a_holder_of_the_feed_says_of_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mink_core.cli.commands.info.Console", lambda: Console(width=200, color_system=None))
    _tell_holders(FeedStatus(0, 0, 1, (FeedHolder(0, None, 1.0, 42, ORDERS, ORDERS),)))
    said = capsys.readouterr().out
    assert said.count(SHOWN) == 2
    assert "\x1b" not in said


def test_nothing_to_list_is_said_to_people_and_not_to_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    view: View[str] = View(lambda text: {"text": text}, [Column("Text", share=1)], lambda text: [text])
    monkeypatch.setattr("mink_core.cli.output.Console", lambda: Console(width=80, color_system=None))
    Printer(Session(), view).all([])
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Printer(Session(), view).all([])
    assert capsys.readouterr().out == "none\n"
    Printer(Session(), view).all(["one"])
    assert "none" not in capsys.readouterr().out


def test_a_narrow_terminal_hides_no_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mink_core.cli.output.Console", lambda: Console(width=20, color_system=None))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    columns = [Column("Name", share=1), Column("Saved", width=19), Column("Position", width=10, right=True)]
    view: View[str] = View(lambda text: {"text": text}, columns, lambda text: [text, "2026-11-30 22:39:12", "3005"])
    Printer(Session(), view).batch(["order-1"])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["Name", "Saved", "Position"]
    assert row.split() == ["order-1", "2026-11-30", "22:39:12", "3005"]
