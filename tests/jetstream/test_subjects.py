"""Any stream id is a subject of its own, and a category is one wildcard."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from mink_core import NewEvent, category_of
from mink_core.errors import UsageError
from mink_core.limits import check_stream_id
from mink_jetstream import JetStreamEventStore
from mink_jetstream.subjects import Keys, Subjects

SUBJECTS = Subjects("shop")
# What an id may hold and a subject may not is drawn often, so that it meets itself.
LETTERS = st.one_of(st.sampled_from("-.*> %aA25é\u2028\ufeff\u00a0"), st.characters())


def is_id(text: str) -> bool:
    try:
        check_stream_id(text)
    except UsageError:
        return False
    return True


IDS = st.text(LETTERS, min_size=1, max_size=12).filter(is_id)


def matches(subject: str, pattern: str) -> bool:
    return len(subject.split(".")) == len(pattern.split(".")) and all(
        want in ("*", have) for want, have in zip(pattern.split("."), subject.split("."), strict=True)
    )


@given(IDS)
@example("order")
@example("order-")
@example("order--")
@example("order-%")
@example("order-%%")
@example("%2E-.")
@example(".-.")
@example("*-*")
@example(">->")
@example("😀" * 250 + "-" + "😀" * 249)
def test_the_way_back_is_exact_and_the_subject_is_one(stream_id):
    subject = SUBJECTS.of_stream(stream_id)
    assert SUBJECTS.stream_id(subject) == stream_id
    tokens = subject.split(".")
    assert len(tokens) == 4
    assert all(tokens)
    assert not re.search(r"[*>\s\x00-\x20\x7f]", subject.replace("\u00a0", "").replace("\u2028", ""))
    assert len(subject.encode()) <= 2100


@given(st.sets(IDS, min_size=2, max_size=8))
def test_two_ids_have_two_subjects(ids):
    assert len({SUBJECTS.of_stream(stream_id) for stream_id in ids}) == len(ids)


@given(IDS, IDS)
@example("order-1", "order")
@example("order", "orders-1")
@example("a.b-1", "a-b.1")
def test_a_category_has_its_streams_and_no_others(one, other):
    pattern = SUBJECTS.of_category(category_of(one))
    assert matches(SUBJECTS.of_stream(one), pattern)
    assert matches(SUBJECTS.of_stream(other), pattern) == (category_of(other) == category_of(one))


@given(st.lists(st.text(LETTERS, max_size=6), min_size=1, max_size=4))
def test_keys_go_there_and_back(parts):
    keys = Keys("shop")
    assert keys.parts(keys.of(*parts)) == parts


def test_the_server_takes_them_all(store: JetStreamEventStore):
    ids = [
        "order",
        "order-",
        "order-%",
        "order-%%",
        ".-.",
        "*-*",
        ">->",
        " - ",
        "\u00a0-\u2028\ufeff",
        "%2E-.",
        "ключ-é",
    ]
    ids += ["x" * 250 + "-" + "." * 249, "😀" * 250 + "-" + "😀" * 249]
    for number, stream_id in enumerate(ids):
        store.append(stream_id, [NewEvent("Made", number)], expected_version=0)
    for number, stream_id in enumerate(ids):
        assert [(event.stream_id, event.data) for event in store.read_stream(stream_id)] == [(stream_id, number)]
    assert [event.stream_id for event in store.read_all()] == ids
    assert [info.stream_id for info in store.streams()] == sorted(ids)
    assert [info.stream_id for info in store.streams(category="order")] == ["order", "order-", "order-%", "order-%%"]
