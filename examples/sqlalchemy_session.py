"""Events, an outbox message and your own rows in one SQLAlchemy transaction.

Run: python examples/sqlalchemy_session.py postgresql://user@localhost/app
"""

import sys

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from mink_core import ExpectedVersion, NewEvent, OutboxMessage
from mink_postgres import PostgresEventStore


def place_order(store: PostgresEventStore, session: Session, order: str, total: int) -> None:
    """Everything is done in the session's transaction, and committed by the session alone."""
    session.execute(text("INSERT INTO orders (id, total) VALUES (:id, :total)"), {"id": order, "total": total})
    bound = store.bind(session.connection().connection.driver_connection)
    bound.append(
        f"order-{order}",
        [NewEvent("OrderPlaced", {"total": total})],
        expected_version=ExpectedVersion.NO_STREAM,
        outbox=[OutboxMessage("orders", {"id": order, "total": total}, ordered=True)],
    )


def main(url: str) -> None:
    """Place one order, and fail at the next."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with PostgresEventStore(url) as store:
        store.initialize()
        with Session(engine) as session, session.begin():
            session.execute(text("CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, total int)"))
            place_order(store, session, "1", 1200)
        try:
            with Session(engine) as session, session.begin():
                place_order(store, session, "2", 900)
                raise RuntimeError("changed our mind")
        except RuntimeError:
            pass
        print([event.stream_id for event in store.read_all()])  # ['order-1']
        print([message.payload for message in store.outbox.list()])  # [{'id': '1', 'total': 1200}]
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
