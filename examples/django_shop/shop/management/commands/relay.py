"""`manage.py relay`: publish what the outbox holds, until Ctrl-C."""

from django.core.management.base import BaseCommand

from mink_core import CallablePublisher, OutboxRelay
from shop.orders import store


class Command(BaseCommand):
    """See the module."""

    help = "Publish the outbox's messages until Ctrl-C."

    def handle(self, *_: object, **__: object) -> None:
        """Run the relay. A message is printed here; a shop would send a mail."""
        with store() as opened:
            OutboxRelay(opened, CallablePublisher(lambda message: self.stdout.write(str(message.payload)))).run()
