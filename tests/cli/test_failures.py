"""Every error ends in one line and its exit code; nobody gets a traceback unasked, or a password."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from mink_core import (
    AdapterNotInstalledError,
    Capability,
    CapabilityNotSupportedError,
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    OutcomeUnknownError,
    PositionAheadError,
    SchemaError,
    StorageError,
    StoreClosedError,
    StreamNotFoundError,
    StreamTombstonedError,
    TransientStorageError,
    UnknownAdapterError,
    UsageError,
)
from mink_core.cli.redaction import redact, without_secrets

if TYPE_CHECKING:
    from tests.cli.conftest import Mink

ERRORS = [
    (ConcurrencyError("a", ExpectedVersion.NO_STREAM, 1), 1),
    (DuplicateEventError(uuid4()), 1),
    (StreamTombstonedError("a"), 1),
    (PositionAheadError(2, 1), 1),
    (StreamNotFoundError("a"), 1),
    (UsageError("wrong"), 2),
    (UnknownAdapterError("x", ["memory"]), 2),
    (AdapterNotInstalledError("postgresql", "postgres", "psycopg"), 2),
    (CapabilityNotSupportedError("memory", Capability.PRIVACY), 2),
    (SchemaError("too new"), 3),
    (StorageError("disk full", sqlstate="53100"), 3),
    (TransientStorageError("lost"), 3),
    (OutcomeUnknownError("lost", retry_is_safe=True), 3),
    (StoreClosedError("closed"), 3),
    (OSError("no such file"), 3),
    (RuntimeError("a bug\nof two lines"), 3),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda it: type(it).__name__)
@pytest.mark.parametrize("args", [("init",), ("info",), ("read",), ("tail",), ("streams",), ("demo",)], ids=str)
def test_exit_codes(
    mink: Mink, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], error: Exception, code: int
) -> None:
    def fail(url: str) -> None:
        raise error

    monkeypatch.setattr("mink_core.cli.session.open_store", fail)
    monkeypatch.setattr("mink_core.cli.demo.run.open_store", fail)
    result = mink(*args)
    assert result.exit_code == code
    assert result.stderr.startswith("mink: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback_before_and_after_the_command(mink: Mink) -> None:
    for args in (("--debug", "info", "no-1"), ("info", "no-1", "--debug")):
        result = mink(*args)
        assert result.exit_code == 1
        assert "Traceback" in result.stderr
        assert result.stderr.endswith("mink: stream 'no-1' does not exist\n")


def test_ctrl_c_is_130(mink: Mink, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(url: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mink_core.cli.session.open_store", interrupt)
    assert mink("read").exit_code == 130
    assert mink("tail").exit_code == 0


@pytest.mark.parametrize("args", [(), ("nonsense",), ("read", "--nonsense"), ("append",), ("--nonsense", "read")])
def test_wrong_use_of_the_command_line(mink: Mink, args: tuple[str, ...]) -> None:
    result = mink(*args)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_without_a_store_it_says_how_to_name_one(mink: Mink) -> None:
    result = mink("read", store_url=None)
    assert result.exit_code == 2
    assert "--store" in result.stderr
    assert "MINK_STORE_URL" in result.stderr


def test_the_store_is_named_before_or_after_or_by_environment(
    mink: Mink, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mink("append", "a-1", "--expect", "none", "--type", "T", "--data", "1").exit_code == 0
    assert mink("read", store_url=url).stdout
    assert mink("read", "--store", url, store_url=None).stdout
    assert mink("read", "--store", url, store_url="memory://").stdout, "the one nearer to the command wins"
    monkeypatch.setenv("MINK_STORE_URL", url)
    assert mink("read", store_url=None).stdout
    assert mink("read", store_url="memory://").stdout == "", "an option wins over the environment"
    monkeypatch.setenv("MINK_STORE_URL", "")
    assert mink("read", store_url=None).exit_code == 2


def test_an_unknown_scheme_lists_the_known(mink: Mink) -> None:
    result = mink("read", store_url="oracle://x")
    assert result.exit_code == 2
    assert "memory://" in result.stderr


SECRET = "hunter2%21/x"
LEAKY = [
    f"postgresql://app:{SECRET}@127.0.0.1:1/x",
    "postgresql://app:hunter2@127.0.0.1:1/x",
    "postgresql://127.0.0.1:1/x?user=app&password=hunter2",
    "postgresql://app:hunter2%zz@127.0.0.1:1/x",
    "postgresql://app:p:hunter2@127.0.0.1:x/y",
    "memory://app:hunter2@x",
    "oracle://app:hunter2@x",
    "app:hunter2@x",
    "postgresql+asyncpg://app:hunter2@x",
    "postgresql://app:hunter2@127.0.0.1:1/x?schema=hunter2&pool_timeout=0.1",
    "postgresql://app:hunter2@127.0.0.1:1/x?pool_timeout=never",
]


@pytest.mark.parametrize("leaky", LEAKY)
@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
def test_no_password_is_ever_shown(mink: Mink, leaky: str, debug: tuple[str, ...]) -> None:
    result = mink("info", *debug, store_url=leaky)
    assert result.exit_code in (2, 3)
    assert "hunter2" not in result.output


@pytest.mark.parametrize("args", [(LEAKY[0],), ("info", "--store", "memory://", "x", LEAKY[1]), ("read", LEAKY[1])])
def test_a_url_in_the_wrong_place_is_not_repeated(mink: Mink, args: tuple[str, ...]) -> None:
    assert "hunter2" not in mink(*args).output


def test_a_driver_that_quotes_the_password_is_not_passed_on(mink: Mink, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str) -> None:
        msg = f"cannot parse {url!r}: bad token 'hunter2!', '{SECRET}' or '{SECRET.partition('/')[0]}'"
        raise StorageError(msg)

    monkeypatch.setattr("mink_core.cli.session.open_store", fail)
    result = mink("info", "--debug", store_url=LEAKY[0])
    assert result.exit_code == 3
    assert "hunter2" not in result.output
    assert "127.0.0.1:1/x" in result.output, "what is no secret stays readable"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "memory://"),
        ("memory://name", "memory://name"),
        ("postgresql://localhost/app", "postgresql://localhost/app"),
        ("postgresql://u:p@localhost:5432/app?schema=x", "postgresql://localhost:5432/app"),
        ("postgresql://u:p@[::1]:5432/app", "postgresql://[::1]:5432/app"),
        ("postgresql+embedded:///srv/mink-1/data", "postgresql+embedded:///srv/mink-1/data"),
        ("postgresql://u:p/w@host/app", "postgresql://host/app"),
        ("postgresql://u:p@pooler/app?direct_url=postgresql%3A%2F%2Fu%3Ap%40db%2Fapp", "postgresql://pooler/app"),
        ("postgresql://host/app?user=a@b&password=c@d", "postgresql://…"),
        ("postgresql://u:pw", "postgresql://…"),
        ("postgresql://host/app;password=x", "postgresql://…"),
        ("u:pw@host", "…"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_redaction_leaves_other_text_alone() -> None:
    assert redact("stream 'a@b' is at version 1", "postgresql://localhost/app") == "stream 'a@b' is at version 1"
    assert redact("see x://a:b@c", None) == "see x://***@c"


@pytest.mark.parametrize("command", ["init", "append", "read", "tail", "streams", "info", "demo"])
def test_help_teaches(mink: Mink, command: str) -> None:
    result = mink(command, "--help")
    assert result.exit_code == 0
    assert f"  mink {command}" in result.stdout.partition("Example")[2]
    assert "Exit codes:" in result.stdout
    assert command in mink("--help").stdout


def test_help_of_all_states_the_exit_codes(mink: Mink) -> None:
    said = mink("--help").stdout.partition("Exit codes:")[2].split()
    assert {"0", "1", "2", "3"} <= set(said)
    assert "…" not in mink("--help").stdout
    assert "..." not in mink("--help").stdout.partition("Commands:")[2]


def test_version(mink: Mink) -> None:
    assert mink("--version").stdout.startswith("mink 0.")


def test_a_url_within_a_url_is_hidden_in_messages() -> None:
    url = "postgresql://app@pooler/app?direct_url=postgresql%3A%2F%2Fapp%3Ahunter2%40db%2Fapp"
    said = redact("no connection as postgresql://app:hunter2@db/app, 'hunter2' refused by pooler", url)
    assert "hunter2" not in said
    assert "refused by pooler" in said
