from mink_core.events import StoredEvent
from mink_postgres.query import Rows

def events_of(
    rows: Rows, event: type[StoredEvent], raw: object, datetime: object, utc: object, /
) -> list[StoredEvent] | None: ...
