"""Fields and subjects by which something would be stored in clear, or never opened again, are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mink_core import NewEvent, StoredEvent, UsageError, open_store
from mink_core.encryption import EncryptedFields, MemorySubjectKeys


@pytest.mark.parametrize("subject", [7, None, "", b"ann", "a\0b"])
def test_a_subject_that_readers_would_not_find_is_refused(subject: Any) -> None:
    keys = MemorySubjectKeys()
    transform = EncryptedFields(keys, fields={"Joined": ["a"]}, subject=lambda _stream, _event: subject)
    with open_store("memory://", transforms=[transform]) as store:
        with pytest.raises(UsageError, match="an event's subject"):
            store.append("person-1", [NewEvent("Joined", {"a": "x"})], expected_version=0)
        assert not list(store.read_all())
        # Nobody is asked for where nothing is sealed.
        store.append("person-1", [NewEvent("Joined", {"b": "x"})], expected_version=0)
    assert not keys._keys


@pytest.mark.parametrize("fields", ["name", b"name", [b"name"], [7], [("name", 7)]])
def test_fields_that_would_be_stored_in_clear_are_refused(fields: Any) -> None:
    with pytest.raises(UsageError, match="'Joined'"):
        EncryptedFields(MemorySubjectKeys(), fields={"Joined": fields}, subject=lambda _stream, _event: "ann")


def test_fields_of_a_generator_are_sealed_in_every_event() -> None:
    transform = EncryptedFields(
        MemorySubjectKeys(), fields={"Joined": (it for it in ("a", "b"))}, subject=lambda _stream, _event: "ann"
    )
    event_time = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(2):
        event = NewEvent("Joined", {"a": "x", "b": "y"})
        out = transform.outgoing("person-1", event)
        assert [set(value) for value in out.data.values()] == [{"$sealed", "subject"}] * 2
        assert (
            transform.incoming(
                StoredEvent("person-1", 1, 1, out.event_id, out.event_type, out.data, {}, event_time)
            ).data
            == event.data
        )
