"""The failure that the page shows is the failure that its commands give, and its replay fails the same way."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from conformance_tests.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
(PATH, EXCERPT), *_ = re.findall(r"```python title=\"(\S+)\"\n(.*?)```", PAGE, re.DOTALL)
RUN, REPLAY = re.findall(r"```sh\npython -m conformance_tests (.*?)\n```", PAGE)
SAID = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_store_is_the_one_shown() -> None:
    assert EXCERPT in (ROOT / PATH).read_text("utf-8")


def test_its_replay_fails_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    assert main(shlex.split(RUN)) == 1
    told = capsys.readouterr().out
    # How small it gets, and who comes second, is up to the threads.
    for pattern in (r"check +APPEND-06:racing_appends_are_linearizable", r"!┌ s\d \+= #\d+", r"replay +python -m"):
        assert re.search(pattern, told)
        assert re.search(pattern, SAID[0])
    assert main(shlex.split(REPLAY)) == 1
    told = capsys.readouterr().out
    assert "the recorded history, judged again" in told
    assert SAID[2].strip() in told
