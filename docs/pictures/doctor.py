"""Makes doctor.svg: a backend that holds the feed back, as `mink doctor` names it."""

from __future__ import annotations

import io
import time
from pathlib import Path

from rich.console import Console

from mink_core import NewEvent
from mink_core.cli.commands.doctor import show
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer


def main() -> None:
    """Start a server, hold its feed back for a moment, and draw what the diagnosis says."""
    console = Console(record=True, width=110, file=io.StringIO())
    with (
        EmbeddedServer.start(settings={"idle_in_transaction_session_timeout": "10min"}) as server,
        PostgresEventStore(f"{server.url()}?application_name=nightly-import", min_size=1) as store,
    ):
        store.initialize()
        store.append("order-1", [NewEvent("OrderPlaced", {"total": 12})], expected_version=0)
        with store.transaction() as transaction:
            transaction.append("order-1", [NewEvent("OrderPaid", {})], expected_version=1)
            transaction.connection.execute("SELECT count(*) FROM mink.streams")
            time.sleep(2)
            with open_administration(server.url()) as administration:
                show(console, administration.diagnose(max_lag=1))
    console.save_svg(str(Path(__file__).with_suffix(".svg")), title="mink doctor --max-lag 1")


main()
