"""The shop on a schema of the test's own: Django's tables and Mink's side by side."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

import django

django.setup()

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client, override_settings

from mink_core import Store
from shop import orders
from shop.models import Order
from shop.settings import database

pytestmark = pytest.mark.mink_store("postgresql+embedded://?fsync=off")


@pytest.fixture(autouse=True)
def shop(mink_store: Store, mink_store_url: str) -> Iterator[None]:
    before = {**connection.settings_dict}
    connection.settings_dict.update(database(mink_store_url))
    with override_settings(MINK_STORE_URL=mink_store_url):
        call_command("migrate", verbosity=0)
        yield
        connection.close()
        orders.store().close()
    connection.settings_dict.update(before)


def test_an_order_s_life_over_http(mink_store: Store) -> None:
    client = Client()
    order = {"customer": "ann", "total": 1200}
    assert client.put("/orders/7", order, content_type="application/json").json()["history"] == ["OrderPlaced"]
    assert client.put("/orders/7", order, content_type="application/json").status_code == 409
    for _ in range(2):
        assert client.post("/orders/7/payment").json() == {"paid": True}
    assert client.get("/orders/7").json() == {**order, "paid": True, "history": ["OrderPlaced", "OrderPaid"]}
    assert client.post("/orders/8/payment").status_code == 404
    assert [message.payload["what"] for message in mink_store.outbox.list()] == ["placed", "paid"]
    # What Django's connection has of its own (how it loads jsonb, say) changes no event.
    assert [event.data for event in mink_store.read_stream("order-7")] == [order, {"total": 1200}]


def test_django_rolls_all_of_it_back(mink_store: Store) -> None:
    Order.objects.create(number="7", customer="bob", total=1)
    with pytest.raises(IntegrityError):
        orders.place("7", "ann", 1200)  # the row is refused after the event was appended
    with pytest.raises(RuntimeError), transaction.atomic():
        orders.place("8", "ann", 1200)
        raise RuntimeError
    assert list(mink_store.read_all()) == []
    assert mink_store.outbox.list() == []
    assert [order.customer for order in Order.objects.all()] == ["bob"]


def test_events_outside_a_transaction_are_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        orders.events()
