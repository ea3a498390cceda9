"""The rows: what the shop asks about orders by SQL."""

from django.db import models


class Order(models.Model):
    """An order, as it stands."""

    number = models.CharField(max_length=50, primary_key=True)
    customer = models.CharField(max_length=100)
    total = models.PositiveIntegerField(help_text="in cents")
    paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        """Its number."""
        return self.number
