"""The schema's numbered steps: what is on file, what a database has of it, and what brings it up to date."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import SchemaError
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION \{schema\}\.(\w+)")
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?\{schema\}\.(\w+)")
_OLDEST_CODE = re.compile(r"-- oldest code: (\d+)$", re.MULTILINE)


class Migration(NamedTuple):
    """One numbered step of the schema, as it is on file: `{schema}` is not put in yet."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What tells that the file has not changed since it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def oldest_code(self) -> int:
        """The version of the oldest code that works once this step is applied.

        The file says so in its first line. Where it says nothing, only code that knows the step works.
        """
        found = _OLDEST_CODE.match(self.sql)
        return int(found[1]) if found else self.version


@cache
def raw_migrations() -> tuple[Migration, ...]:
    """The steps on file, in order."""
    folder = files("mink_postgres").joinpath("sql", "migrations")
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(int(name[:4]), name.removesuffix(".sql"), folder.joinpath(name).read_text("utf-8")) for name in found
    )


@cache
def store_functions() -> frozenset[str]:
    """The names of all functions that the schema has had."""
    return functions_of([step.sql for step in raw_migrations()] + [admin_sql("move_row_guards")])


def functions_of(texts: Iterable[str]) -> frozenset[str]:
    """The names of the functions that these make."""
    return frozenset(name for text in texts for name in _FUNCTION.findall(text))


SCHEMA_VERSION = raw_migrations()[-1].version
"""The version of the schema that this code knows."""


def check_works(applied: Mapping[int, int]) -> None:
    """Refuse a schema that was migrated past what this code can work on.

    Args:
        applied: The version of each applied step, with the oldest code that works on it.

    Raises:
        SchemaError: A step that this code does not know needs newer code.
    """
    known = {step.version for step in raw_migrations()}
    needed = max((oldest for version, oldest in applied.items() if version not in known), default=0)
    if needed > SCHEMA_VERSION:
        msg = (
            f"the schema is at version {max(applied)}, newer than the {SCHEMA_VERSION} that this code knows, and works "
            f"with code of version {needed} or newer only; nothing was changed: upgrade mink-eventstore"
        )
        raise SchemaError(msg)


def pending(applied: Mapping[int, str]) -> list[Migration]:
    """The steps that a database has not.

    Args:
        applied: The version of each applied step, with its checksum.

    Raises:
        SchemaError: A step was applied with other content.
    """
    steps: list[Migration] = []
    for step in raw_migrations():
        if step.version not in applied:
            steps.append(step)
        elif applied[step.version] != step.checksum:
            msg = f"migration {step.name} was applied with other content; nothing was changed: compare the releases"
            raise SchemaError(msg)
    return steps


def table_statements(quoted: str) -> Sequence[str]:
    """What makes or completes the record of migrations."""
    return (
        (
            f"CREATE TABLE IF NOT EXISTS {quoted}.schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT NOW())"
        ),
        f"ALTER TABLE {quoted}.schema_migrations ADD COLUMN IF NOT EXISTS oldest_code INTEGER",
    )


def step_statements(step: Migration, quoted: str) -> Sequence[str]:
    """One step, and its record. Its name and checksum come from our files: nothing in them needs quoting."""
    return (
        step.sql.replace("{schema}", quoted).strip(),
        (
            f"INSERT INTO {quoted}.schema_migrations (version, name, checksum, oldest_code) "  # noqa: S608 -- see above
            f"VALUES ({step.version}, '{step.name}', '{step.checksum}', {step.oldest_code})"
        ),
    )


def grant_statements(steps: Sequence[Migration], quoted: str) -> Sequence[str]:
    """What lets the roles of a store that is in use call the functions that these steps have made."""
    names = ",".join(sorted(functions_of(step.sql for step in steps)))
    if not names:
        return ()
    return (admin_sql("grant_new").replace("{schema}", quoted).replace("{names}", f"{{{names}}}"),)


def owner_statements(steps: Sequence[Migration], quoted: str) -> Sequence[str]:
    """What gives to the owner of a store that is in use what somebody else has made by these steps."""
    tables = {name for step in steps for name in _TABLE.findall(step.sql)} | {"schema_migrations"}
    functions = functions_of(step.sql for step in steps)
    text = admin_sql("owner").replace("{schema}", quoted)
    return (
        text.replace("{tables}", f"{{{','.join(sorted(tables))}}}").replace(
            "{functions}", f"{{{','.join(sorted(functions))}}}"
        ),
    )
