"""The orders' table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True
    operations = (
        migrations.CreateModel(
            name="Order",
            fields=(
                ("number", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("customer", models.CharField(max_length=100)),
                ("total", models.PositiveIntegerField(help_text="in cents")),
                ("paid", models.BooleanField(default=False)),
            ),
        ),
    )
