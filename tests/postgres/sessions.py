"""A transaction of the test's own, driven one step at a time."""

from __future__ import annotations

from typing import Any

import psycopg


class Session:
    """One connection with an open transaction."""

    def __init__(self, url: str, schema: str) -> None:
        self.connection: psycopg.Connection[Any] = psycopg.connect(url)
        self.schema = schema

    def run(self, statement: str, *args: Any) -> Any:
        return self.connection.execute(statement.replace("{schema}", f'"{self.schema}"'), args or None)

    def value(self, statement: str, *args: Any) -> Any:
        return self.run(statement, *args).fetchone()[0]

    def lock(self, stream: str) -> None:
        """SELECT … FOR UPDATE takes the transaction's id, before any position."""
        self.run("SELECT version FROM {schema}.streams WHERE stream_id = %s FOR UPDATE", stream)

    def insert(self, stream: str, version: int) -> int:
        """A raw INSERT; streams is left as it is."""
        return int(
            self.value(
                "INSERT INTO {schema}.events (stream_id, version, event_type, data) VALUES (%s, %s, 'Raw', '{}') "
                "RETURNING global_position",
                stream,
                version,
            )
        )

    def append(self, stream: str) -> int:
        """The seed's statements one by one, on an existing stream."""
        self.lock(stream)
        version = self.value("SELECT version FROM {schema}.streams WHERE stream_id = %s", stream) + 1
        position = self.insert(stream, version)
        self.run("UPDATE {schema}.streams SET version = %s WHERE stream_id = %s", version, stream)
        return position

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()
