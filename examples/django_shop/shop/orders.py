"""What can be done to an order: a row, an event and a message, by one transaction of Django's."""

from functools import cache

from django.conf import settings
from django.db import connection, transaction

from mink_core import ExpectedVersion, NewEvent, OutboxMessage, Store, Transaction, open_store
from shop.models import Order


@cache
def _store(url: str) -> Store:
    return open_store(url, min_size=0)  # its own connections are for the relay and for readers alone


def store() -> Store:
    """The process's store."""
    return _store(settings.MINK_STORE_URL)


def events() -> Transaction:
    """The store on Django's own connection: it begins, commits and rolls back nothing."""
    if not connection.in_atomic_block:
        msg = "events belong to a transaction: call within transaction.atomic()"
        raise transaction.TransactionManagementError(msg)
    connection.ensure_connection()
    return store().bind(connection.connection)


def place(number: str, customer: str, total: int) -> None:
    """Place an order.

    Raises:
        ConcurrencyError: There is one of this number; nothing was stored.
    """
    placed = NewEvent("OrderPlaced", {"customer": customer, "total": total})
    mail = OutboxMessage("mail", {"order": number, "what": "placed"}, ordered=True)
    with transaction.atomic():
        events().append(f"order-{number}", [placed], expected_version=ExpectedVersion.NO_STREAM, outbox=[mail])
        Order.objects.create(number=number, customer=customer, total=total)


def pay(number: str) -> None:
    """Pay an order. Paying twice is paying once.

    Raises:
        Order.DoesNotExist: There is none of this number.
    """
    mail = OutboxMessage("mail", {"order": number, "what": "paid"}, ordered=True)
    with transaction.atomic():
        # The row's lock puts those who pay the same order one after the other.
        order = Order.objects.select_for_update().get(number=number)
        if order.paid:
            return
        order.paid = True
        order.save()
        paid = NewEvent("OrderPaid", {"total": order.total})
        events().append(f"order-{number}", [paid], expected_version=ExpectedVersion.STREAM_EXISTS, outbox=[mail])
