"""Fields sealed with a key per subject: back as they went in, hidden in the store, gone with the key."""

from __future__ import annotations

import builtins
import copy
import json
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance_tests import Layer, Level, Status, run, target_of
from mink_core import (
    DuplicateEventError,
    NewEvent,
    StoredEvent,
    SubjectErasedError,
    TypedPayloads,
    UsageError,
    open_store,
)
from mink_core.encryption import EncryptedFields, MemorySubjectKeys
from mink_core.encryption.aes_siv import AesSiv
from tests.adapters.doors import Door

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(st.lists(st.sampled_from("abc"), max_size=3).map(tuple), max_size=4)


def sealing(*fields: Any, keys: Any = None, **options: Any) -> EncryptedFields:
    keys = MemorySubjectKeys() if keys is None else keys
    return EncryptedFields(keys, fields={"Joined": fields}, subject=lambda stream_id, _event: stream_id, **options)


def stored(event: NewEvent, stream_id: str = "person-1") -> StoredEvent:
    return StoredEvent(stream_id, 1, 1, event.event_id, event.event_type, event.data, event.metadata or {}, None)  # type: ignore[arg-type]


def same(one: Any, other: Any) -> bool:
    """Equal with equal types, at every depth; the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(data=JSON, paths=PATHS, event_id=st.uuids())
def test_what_goes_in_comes_out_and_is_hidden_meanwhile(data: Any, paths: list[Any], event_id: UUID) -> None:
    transform = sealing(*paths)
    given_data = copy.deepcopy(data)
    event = NewEvent("Joined", data, None, event_id)
    out = transform.outgoing("person-1", event)
    assert same(data, given_data)  # nothing of the caller's was touched
    for path in paths:
        hidden: Any = out.data
        for name in path:
            if not isinstance(hidden, dict) or name not in hidden or "$sealed" in hidden:
                break
            hidden = hidden[name]
        else:
            assert set(hidden) == {"$sealed", "subject"}
    back = transform.incoming(stored(out))
    assert same(back.data, data)
    assert same(transform.outgoing("person-1", event).data, out.data)  # a repeat has the same content


@given(data=JSON)
def test_the_order_of_keys_changes_nothing(data: Any) -> None:
    transform = sealing("a")
    event = NewEvent("Joined", {"a": data})
    turned = msgspec.structs.replace(event, data=json.loads(json.dumps({"a": data}, sort_keys=True)))
    assert transform.outgoing("person-1", turned).data == transform.outgoing("person-1", event).data


def test_erased_fields_read_as_such_and_the_rest_stays() -> None:
    keys = MemorySubjectKeys()
    transform = sealing("name", ("address", "street"), keys=keys, erased="(erased)")
    data = {"name": "Ann", "address": {"street": "Long Lane 1", "country": "NL"}, "year": 2026}
    with (
        open_store("memory://erased", transforms=[transform]) as store,
        open_store("memory://erased") as plain,
    ):
        event = NewEvent("Joined", data)
        store.append("person-1", [event], expected_version=0)
        store.append("person-2", [NewEvent("Joined", data)], expected_version=0)
        store.append("person-3", [NewEvent("Other", data)], expected_version=0)
        raw = [it.data for it in plain.read_all()]
        assert "Ann" not in repr(raw[:2])
        assert "Long" not in repr(raw[:2])
        assert raw[0]["name"]["$sealed"] != raw[1]["name"]["$sealed"]
        assert raw[2] == data  # another type of event
        keys.erase("person-1")
        [first, second, _] = [it.data for it in store.read_all()]
        assert first == {"name": "(erased)", "address": {"street": "(erased)", "country": "NL"}, "year": 2026}
        assert second == data
        # Neither a repeat nor something new brings the person back.
        for again, version in ((event, 0), (NewEvent("Joined", data), 1)):
            with pytest.raises(SubjectErasedError, match="person-1") as refused:
                store.append("person-1", [again], expected_version=version)
            assert refused.value.subject == "person-1"
        assert store.stream_info("person-1").version == 1


def test_what_a_reader_does_to_an_erased_field_is_not_seen_by_the_next() -> None:
    keys = MemorySubjectKeys()
    with open_store("memory://", transforms=[sealing("name", keys=keys, erased={"parts": []})]) as store:
        store.append("person-1", [NewEvent("Joined", {"name": "Ann"})], expected_version=0)
        keys.erase("person-1")
        [event] = store.read_stream("person-1")
        event.data["name"]["parts"].append("Bob")
        [event] = store.read_stream("person-1")
        assert event.data == {"name": {"parts": []}}


def test_an_event_with_nothing_to_seal_is_about_nobody() -> None:
    keys = MemorySubjectKeys()
    transform = EncryptedFields(keys, fields={"Joined": ["name"]}, subject=lambda _stream, event: event.data["id"])
    with open_store("memory://", transforms=[transform], privacy=True) as store:
        store.append("person-1", [NewEvent("Joined", {"id": "p1", "name": "Ann"})], expected_version=0)
        keys.erase("p1")
        store.privacy.redact("person-1", 1, by="officer")
        assert [event.data for event in store.read_stream("person-1")] == [None]


def test_on_every_door_with_typed_payloads_and_a_repeat(door: Door) -> None:
    payloads = TypedPayloads()

    @payloads.register("Joined")
    class Joined(msgspec.Struct):
        name: str | None
        year: int

    keys = MemorySubjectKeys()
    transforms = [payloads, sealing("name", keys=keys)]
    event = NewEvent("Joined", Joined("Ann", 2026))
    other = msgspec.structs.replace(event, data=Joined("Bob", 2026))

    def sync(store: Any) -> list[Any]:
        first = store.append("person-1", [event], expected_version=0)
        assert store.append("person-1", [event], expected_version=0) == first
        with pytest.raises(DuplicateEventError):
            store.append("person-1", [other], expected_version=0)
        seen = [it.data for it in store.read_stream("person-1")]
        keys.erase("person-1")
        return [*seen, *(it.data for it in store.read_stream("person-1"))]

    async def awaited(store: Any) -> list[Any]:
        first = await store.append("person-1", [event], expected_version=0)
        assert await store.append("person-1", [event], expected_version=0) == first
        with pytest.raises(DuplicateEventError):
            await store.append("person-1", [other], expected_version=0)
        seen = [it.data async for it in store.read_stream("person-1")]
        keys.erase("person-1")
        return [*seen, *[it.data async for it in store.read_stream("person-1")]]

    assert door.run(awaited if door.is_async else sync, transforms=transforms) == [
        Joined("Ann", 2026),
        Joined(None, 2026),
    ]


@pytest.mark.parametrize("moved", ["stream", "id", "type", "place", "text", "key"])
def test_what_was_moved_or_changed_in_the_store_is_refused(moved: str) -> None:
    keys = MemorySubjectKeys()
    transform = EncryptedFields(
        keys, fields={"Joined": ["a", "b"], "Left": ["a", "b"]}, subject=lambda _stream, _event: "ann"
    )
    event = stored(transform.outgoing("person-1", NewEvent("Joined", {"a": "x"})))
    sealed = event.data["a"]
    changed = {
        "stream": {"stream_id": "person-2"},
        "id": {"event_id": uuid4()},
        "type": {"event_type": "Left"},
        "place": {"data": {"b": sealed}},
        "text": {"data": {"a": sealed | {"$sealed": "AAAA" + sealed["$sealed"][4:]}}},
        "key": {},
    }[moved]
    if moved == "key":
        keys._keys["ann"] = AesSiv().new_key()
    with pytest.raises(UsageError, match="does not open with the key of subject 'ann'"):
        transform.incoming(msgspec.structs.replace(event, **changed))


def test_values_from_before_are_read_as_they_are() -> None:
    transform = sealing("a")
    for value in ("x", None, {"$sealed": 1, "subject": "x"}, {"$sealed": "x"}):
        assert transform.incoming(stored(NewEvent("Joined", {"a": value}))).data == {"a": value}
    assert transform.incoming(stored(NewEvent("Joined", [1]))).data == [1]


def test_what_is_no_json_is_refused_before_it_is_sealed() -> None:
    with pytest.raises(UsageError, match="tuple"):
        sealing("a").outgoing("person-1", NewEvent("Joined", {"a": (1,)}))


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("mink_core.encryption.aes_siv"):
            raise ModuleNotFoundError(name="cryptography.hazmat")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'mink-eventstore\[encryption\]'"):
        sealing("a")
    sealing("a", cipher=AesSiv())


class Every(dict[str, Any]):
    """All of the data of every type of event."""

    def get(self, key: str, default: Any = None) -> Any:
        return [()]


def open_namespace(namespace: str) -> Any:
    """A sealing store as a target of the kit; keys are shared by the handles on it."""
    return open_store(f"memory://sealed-{namespace}", transforms=[SEALED], unique_event_ids=False)


SEALED = EncryptedFields(MemorySubjectKeys(), fields=Every(), subject=lambda _stream, _event: "all")


AREAS = {"APPEND", "JSON", "READ", "TX"}
# A sealed value is a third longer as base64, so 8 MiB of it are above the limit of 8 MiB.
LONGER = {"size_limit_at_the_edge"}


def test_a_sealing_store_keeps_the_contract() -> None:
    with target_of(f"{__name__}:open_namespace") as target:
        report = run(
            target,
            level=Level.SMOKE,
            select=lambda check: check.layer is Layer.EXAMPLE and check.rules[0].partition("-")[0] in AREAS,
        )
    failed = {it.check.name: it.what for it in report.results if it.status is Status.FAILED}
    assert set(failed) == LONGER, failed
    assert len([it for it in report.results if it.status is Status.PASSED]) > 50
