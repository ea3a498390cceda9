"""An `EventFilter` as SQL: constants and `$n` only, every value is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.json_codec import encode_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from mink_core.filters import EventFilter

FIRST_ARGUMENT = 4
"""`$1` to `$3` are the bounds and the limit of the query that the conditions go into."""
MANY = 16
"""Members of an axis above which they are hashed. A plan that is kept compares each row with each member of an array."""
_FEW, _MANY = " = ANY (?::text[])", " IN (SELECT unnest(?::text[]))"


def conditions(where: EventFilter) -> tuple[str, tuple[Any, ...]]:
    """The conditions, each begun by AND, and their arguments from `$4` on."""
    parts: list[str] = []
    args: list[Any] = []

    def add(template: str, value: Any) -> None:
        parts.append("AND " + template.replace("?", f"${FIRST_ARGUMENT + len(args)}", 1))
        args.append(value)

    def add_one_of(value: str, members: Collection[str]) -> None:
        # IS TRUE: else it is planned as a join, and may lose the order of positions.
        add(f"({value}{_MANY}) IS TRUE" if len(members) > MANY else value + _FEW, list(members))

    if where.event_types:
        add_one_of("event_type", where.event_types)
    if where.stream_ids:  # not hashed, however many: their index serves
        add("stream_id = ANY (?::text[])", list(where.stream_ids))
    if where.categories:
        # The same as category_of: before the first '-', else the whole id. No LIKE to escape.
        add_one_of("split_part(stream_id, '-', 1)", where.categories)
    if where.metadata:
        # Of a json column jsonb is made; of a jsonb one nothing, so that an index of it serves.
        add("metadata::jsonb @> ?::jsonb", encode_json(where.metadata))
    if where.since is not None:
        add("timestamp >= ?::timestamptz", where.since)
    if where.until is not None:
        add("timestamp < ?::timestamptz", where.until)
    if where.partition is not None:
        add("{schema}.partition_of(stream_id, ?::integer)", where.partition.of)
        parts[-1] += f" = ${FIRST_ARGUMENT + len(args)}::integer"
        args.append(where.partition.index)
    return " ".join(parts), tuple(args)
