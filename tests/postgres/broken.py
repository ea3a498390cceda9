"""PostgreSQL stores that are wrong where only a held commit or a broken connection shows it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import ExpectedVersion, OutcomeUnknownError, Page, StorageError, TransientStorageError
from mink_postgres import PostgresEventStore
from mink_postgres.testing.place import place_of
from tests.postgres.readers import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlainCursor(PostgresEventStore):
    """FEED-01: a poll shows whatever is committed."""

    def poll(self, after_position: int, *, limit: int = 100, **options: Any) -> Page:
        place = place_of(self)
        assert place is not None
        with psycopg.connect(place.conninfo, autocommit=True) as connection:
            statement = PLAIN.replace("{schema}", f'"{place.schema}"').replace("LIMIT 100", f"LIMIT {limit}")
            rows = connection.execute(statement, {"after": after_position}).fetchall()  # type: ignore[arg-type]
        wanted = {row[0] for row in rows}
        stored = [event for info in self.streams() for event in self.read_stream(info.stream_id)]
        events = sorted((it for it in stored if it.global_position in wanted), key=lambda it: it.global_position)
        only = options["where"].stream_ids if "where" in options else ()
        shown = [event for event in events if not only or event.stream_id in only]
        return Page(shown, max(wanted, default=after_position))


class SaysNothingIsStored(PostgresEventStore):
    """APPEND-01: a lost reply is told as a failure that stored nothing."""

    def append(self, *args: Any, **options: Any) -> Any:
        try:
            return super().append(*args, **options)
        except OutcomeUnknownError as error:
            raise TransientStorageError(str(error)) from error


class AlwaysSafe(PostgresEventStore):
    """APPEND-09: every unknown outcome is said to be safe to repeat."""

    def append(self, *args: Any, **options: Any) -> Any:
        try:
            return super().append(*args, **options)
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(str(error), retry_is_safe=True) from error


class RepeatsByItself(PostgresEventStore):
    """APPEND-01: after a lost reply the append is made again under ANY."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return super().append(stream_id, events, expected_version=expected_version)
        except OutcomeUnknownError:
            return super().append(stream_id, events, expected_version=ExpectedVersion.ANY)


class BareErrors(PostgresEventStore):
    """APPEND-01: the driver's error reaches the caller."""

    def append(self, *args: Any, **options: Any) -> Any:
        try:
            return super().append(*args, **options)
        except StorageError as error:
            raise error.__cause__ or error from None


class HalfABatch(PostgresEventStore):
    """APPEND-11: a batch is appended item by item."""

    def append_batch(self, items: Any) -> Any:
        return [self.append(it.stream_id, it.events, expected_version=it.expected_version) for it in items]


class CommitsEachStep(PostgresEventStore):
    """TX-01: each append of a transaction is committed by itself."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:  # type: ignore[override]
        with super().transaction() as last:
            first = True

            class Steps:
                def append(inner, *args: Any, **options: Any) -> Any:  # noqa: N805
                    nonlocal first
                    log = self if first else last
                    first = False
                    return log.append(*args, **options)

            yield Steps()


class SkipsAfterALoss(PostgresEventStore):
    """SUB-03: a subscription that lost its connection goes on at the head."""

    def poll(self, after_position: int, **options: Any) -> Page:
        if getattr(self, "lost", False):
            after_position = super().head_position()  # which may be lost as well: then it is for the next try
            self.lost = False
        try:
            return super().poll(after_position, **options)
        except StorageError:
            self.lost = True
            raise


class ClosesWhatWasLent(PostgresEventStore):
    """LIFE-03: a borrowed pool is closed with the store."""

    def close(self) -> None:
        pool = self._backend._pool  # type: ignore[union-attr]
        super().close()
        if pool is not None:
            pool.close()


class CommitsWhatIsBound(PostgresEventStore):
    """TX-02: a store on the caller's connection commits its appends."""

    def append(self, *args: Any, **options: Any) -> Any:
        result = super().append(*args, **options)
        connection = getattr(self._backend, "_connection", None)
        if connection is not None:
            connection.commit()
        return result


class ClosesWhatIsBound(PostgresEventStore):
    """TX-02: the caller's connection is closed with the store."""

    def close(self) -> None:
        super().close()
        connection = getattr(self._backend, "_connection", None)
        if connection is not None:
            connection.close()


class WaitsForEver(PostgresEventStore):
    """TX-04: a locked stream is waited for without an end."""

    def append(self, *args: Any, **options: Any) -> Any:
        while True:
            try:
                return super().append(*args, **options)
            except TransientStorageError:
                continue


CAUGHT_BY = {
    SaysNothingIsStored: "an_exact_append_is_stored_once_whatever_breaks",
    AlwaysSafe: "an_unknown_outcome_says_whether_to_repeat",
    RepeatsByItself: "an_unknown_outcome_says_whether_to_repeat",
    BareErrors: "an_exact_append_is_stored_once_whatever_breaks",
    HalfABatch: "a_batch_is_stored_whole_and_once_whatever_breaks",
    CommitsEachStep: "a_transaction_is_whole_when_its_commit_is_lost",
    SkipsAfterALoss: "a_subscription_outlives_its_connection",
    ClosesWhatWasLent: "what_is_lent_stays_open",
    CommitsWhatIsBound: "a_bound_store_leaves_the_transaction_to_its_caller",
    ClosesWhatIsBound: "a_bound_store_leaves_the_transaction_to_its_caller",
    WaitsForEver: "waiting_for_a_locked_stream_ends",
}
