"""What programs are made of, aimed at what storage gets wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

STREAM_IDS = (
    "order-1",
    "order-10",
    "order-1-1",
    "order",
    "order-",
    "orders-1",
    "Order-1",
    "ord_r-1",
    "ord%-1",
    "o\\rder-1",
    "\u00e9-1",
    "e\u0301-1",
    "\uffff-1",
    "\U0001f600-1",
    "c" * 250 + "-" + "x" * 249,
)
"""Prefixes of one another, patterns of LIKE, two spellings of one letter, both sides of the surrogates, the longest."""

EVENT_TYPES = ("Placed", "placed", "PlacedTwice", "Pl%", "Pl_ced", "\u00e9", "t" * 500)
CATEGORIES = ("order", "orders", "Order", "ord_r", "ord%", "o", "\u00e9", "c" * 250, "missing")

# The first few come up more often, so that calls meet on them.
stream_ids = st.sampled_from((*STREAM_IDS[:3] * 4, *STREAM_IDS))
event_types = st.sampled_from(EVENT_TYPES)
categories = st.sampled_from(CATEGORIES)

_numbers = st.one_of(
    st.sampled_from(
        [
            0,
            1,
            -1,
            2**53,
            2**53 + 1,
            10**16,
            2**63 - 1,
            -(2**63),
            0.0,
            1.0,
            -1.0,
            1e16,
            1e17,
            1e21,
            1e300,
            5e-324,
            0.1,
            1e-7,
        ]
    ),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0),
)
_text = st.one_of(
    st.sampled_from(
        ["", "\\u0000", "\u00e9", "e\u0301", "\U0001f600", "\uffff", "\u2028", "'\"\\", "%_", "1.0", "null"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
scalars: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), _numbers, _text)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)),
    max_leaves=12,
)


def _deep(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


data = st.one_of(values, st.builds(_deep, scalars, st.sampled_from([1, 30, 126, 127])))
metadata_values: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 1.5, 10**16, 1e16, "1", "a", "A", "a%", "\u00e9", [1], {}]
)
metadata = st.one_of(
    st.none(), st.just({}), st.fixed_dictionaries({}, optional={"k": metadata_values, "other": _numbers})
)
wanted_metadata: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"k": st.sampled_from([None, True, False, 0, 1, 1.0, 1.5, 10**16, "1", "a", "a%", "missing"])}
    ),
)
batch_sizes = st.sampled_from([1, 1, 1, 1, 2, 2, 3, 5, 40])
limits = st.sampled_from([None, None, 0, 1, 2, 3, 100, 2**62])
