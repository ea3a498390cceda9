"""Refusals for the stores around the log that an adapter does not have (rule CAP-01)."""

from __future__ import annotations

from typing import Any, NoReturn

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError


class SubStores:
    """Answers every sub-store with `CapabilityNotSupportedError`; an adapter overrides what it has."""

    adapter_name = "unnamed"

    def _refuse(self, capability: Capability) -> NoReturn:
        declared = capability in getattr(self, "capabilities", ())
        hint = (
            "it is declared, and the store has none of its own in place of what SubStores refuses" if declared else ""
        )
        raise CapabilityNotSupportedError(self.adapter_name, capability, hint)

    @property
    def snapshots(self) -> Any:
        """Refused: `Capability.SNAPSHOTS` is not declared."""
        self._refuse(Capability.SNAPSHOTS)

    @property
    def checkpoints(self) -> Any:
        """Refused: `Capability.CHECKPOINTS` is not declared."""
        self._refuse(Capability.CHECKPOINTS)

    @property
    def subscriptions(self) -> Any:
        """Refused: `Capability.DURABLE_SUBSCRIPTIONS` is not declared."""
        self._refuse(Capability.DURABLE_SUBSCRIPTIONS)

    @property
    def parked(self) -> Any:
        """Refused: `Capability.DURABLE_SUBSCRIPTIONS` is not declared."""
        self._refuse(Capability.DURABLE_SUBSCRIPTIONS)

    @property
    def outbox(self) -> Any:
        """Refused: `Capability.OUTBOX` is not declared."""
        self._refuse(Capability.OUTBOX)

    @property
    def idempotency(self) -> Any:
        """Refused: `Capability.IDEMPOTENCY` is not declared."""
        self._refuse(Capability.IDEMPOTENCY)

    @property
    def sagas(self) -> Any:
        """Refused: `Capability.SAGAS` is not declared."""
        self._refuse(Capability.SAGAS)

    @property
    def privacy(self) -> Any:
        """Refused: `Capability.PRIVACY` is not declared."""
        self._refuse(Capability.PRIVACY)

    def bind(self, connection: Any) -> Any:
        """Refused: `Capability.SQL_TRANSACTION` is not declared."""
        del connection
        self._refuse(Capability.SQL_TRANSACTION)

    def refuse_messages(self, outbox: object) -> None:
        """For the `append` of an adapter without an outbox: refuse messages, whatever they are.

        Raises:
            CapabilityNotSupportedError: There are some.
        """
        if outbox not in ((), []):
            self._refuse(Capability.OUTBOX)
