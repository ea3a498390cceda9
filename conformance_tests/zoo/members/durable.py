"""Durable subscriptions that forget, that commit what failed, or that everybody works on at once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import uuid4

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, WhenExhausted

DURABLE = [Capability.DURABLE_SUBSCRIPTIONS]


@breaks("SUB-06", needs=DURABLE)
class ForgetsWhereItWas(Wrapped):
    """Begins anew with each worker: no checkpoint is found again."""

    def subscription(self, name: str, handler: Any, **options: Any) -> Any:
        return self.store.subscription(f"{name}-{uuid4().hex[:8]}", handler, **options)


@breaks("SUB-06", needs=DURABLE)
class SkipsWhatFailed(Wrapped):
    """Takes an event for done though its handler failed, and stops only then: the next worker goes on behind it."""

    def subscription(self, name: str, handler: Any, **options: Any) -> Any:
        failed: list[Exception] = []

        def handle(event: Any, *transaction: Any) -> None:
            if failed:
                raise failed[0]
            try:
                handler(event, *transaction)
            except Exception as error:  # noqa: BLE001 -- what is wrong with it
                failed.append(error)

        return self.store.subscription(name, handle, **options)


@breaks("SUB-07", needs=[*DURABLE, Capability.TRANSACTIONS])
class CommitsBesideTheCheckpoint(Wrapped):
    """Commits a handler's effect in a transaction of its own, also where it fails afterwards."""

    def subscription(self, name: str, handler: Any, *, transactional: bool = False, **options: Any) -> Any:
        if not transactional:
            return self.store.subscription(name, handler, **options)

        def handle(event: Any) -> None:
            failed: list[Exception] = []
            with self.store.transaction() as transaction:
                try:
                    handler(event, transaction)
                except Exception as error:  # noqa: BLE001 -- what is wrong with it
                    failed.append(error)
            if failed:
                raise failed[0]

        return self.store.subscription(name, handle, **options)


@breaks("SUB-09", needs=DURABLE)
class EverybodyIsActive(Wrapped):
    """Gives every worker a lease of its own: two of one name handle the same events at once."""

    def subscription(self, name: str, handler: Any, **options: Any) -> Any:
        return self.store.subscription(f"{name}-{uuid4().hex[:8]}", handler, **options)


@breaks("SUB-10", needs=DURABLE)
class GoesPastWithoutParking(Wrapped):
    """Goes past what it was to park, and parks nothing: the event is gone for good."""

    def subscription(self, name: str, handler: Any, **options: Any) -> Any:
        if "retry" not in options or options["retry"].then is not WhenExhausted.PARK:
            return self.store.subscription(name, handler, **options)

        def handle(event: Any, *transaction: Any) -> None:
            with suppress(Exception):
                handler(event, *transaction)

        return self.store.subscription(name, handle, **options)
