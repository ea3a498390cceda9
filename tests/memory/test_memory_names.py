import uuid

import pytest

import mink_memory
from mink_core import Capability, EventFilter, ExpectedVersion, NewEvent, UsageError
from mink_memory import names
from mink_memory.adapter import open_async_store, open_store


@pytest.fixture
def name():
    name = f"test-{uuid.uuid4()}"
    yield name
    mink_memory.forget(name)


def _append(store, stream_id="order-1"):
    return store.append(stream_id, [NewEvent("Placed", {})], expected_version=ExpectedVersion.ANY)


def test_private_stores_share_nothing():
    one, other = open_store("memory://"), open_store("memory://")
    _append(one)
    assert list(other.read_all()) == []
    assert one.identity() != other.identity()


def test_a_name_is_shared_and_outlives_its_stores(name):
    with open_store(f"memory://{name}") as store:
        _append(store)
        identity = store.identity()
    with open_store(f"memory://{name}") as store:
        assert store.head_position() == 1
        assert store.identity() == identity
        with open_store(f"memory://{name}-2") as other:
            assert other.head_position() == 0
    mink_memory.forget(f"{name}-2")


def test_forget_drops_the_name_but_not_from_under_an_open_store(name):
    old = open_store(f"memory://{name}")
    _append(old)
    mink_memory.forget(name)
    mink_memory.forget(name)
    with open_store(f"memory://{name}") as new:
        assert new.head_position() == 0
        assert old.head_position() == 1


@pytest.mark.parametrize(
    "url",
    [
        "memory://a/b",
        "memory:///a",
        "memory://../x",
        "memory://a b",
        "memory://ä",
        "memory://a\n",
        "memory://a%20b",
        "memory://a#b",
        "memory://" + "a" * 101,
        "memory:a",
        "memory://a?color=red",
        "memory://a?unique_event_ids",
        "memory://a?unique_event_ids=1",
        "memory://a?unique_event_ids=true&unique_event_ids=true",
        "memory://a?lock_timeout=0",
        "memory://a?lock_timeout=-1",
        "memory://a?lock_timeout=nan",
        "memory://a?lock_timeout=inf",
        "memory://a?lock_timeout=1e300",
        "memory://a?lock_timeout=soon",
        "memory://a?clock=now",
    ],
)
@pytest.mark.parametrize("opener", [open_store, open_async_store])
def test_a_wrong_url_is_refused(url, opener):
    with pytest.raises(UsageError):
        opener(url)


@pytest.mark.parametrize(
    "options", [{"colour": "red"}, {"unique_event_ids": 1}, {"lock_timeout": True}, {"lock_timeout": "1"}]
)
def test_a_wrong_option_is_refused(options):
    with pytest.raises(UsageError):
        open_store("memory://", **options)


def test_options_win_over_the_query(name):
    store = open_store(f"memory://{name}?unique_event_ids=true&lock_timeout=3", unique_event_ids=False)
    assert Capability.UNIQUE_EVENT_IDS not in store.capabilities
    assert store._handle.lock_timeout == 3.0
    assert Capability.UNIQUE_EVENT_IDS in open_store("memory://?unique_event_ids=true").capabilities


def test_all_handles_agree_on_unique_event_ids(name):
    open_store(f"memory://{name}?unique_event_ids=true")
    with pytest.raises(UsageError, match="unique_event_ids"):
        open_async_store(f"memory://{name}")


def test_a_refused_open_does_not_make_the_log(name):
    with pytest.raises(UsageError):
        open_store(f"memory://{name}?unique_event_ids=true", lock_timeout=-1)
    assert Capability.UNIQUE_EVENT_IDS not in open_store(f"memory://{name}").capabilities


def test_a_filter_compares_numbers_as_jsonb_does():
    store = open_store("memory://")
    for value in (1, 1.0, True, "1", None, 1234567890123456800, 1234567890123456768, 0.1, [1]):
        store.append("s", [NewEvent("T", None, {"k": value})], expected_version=ExpectedVersion.ANY)
    store.append("s", [NewEvent("T", None)], expected_version=ExpectedVersion.ANY)

    def found(value):
        return [event.metadata["k"] for event in store.read_all(where=EventFilter(metadata={"k": value}))]

    assert [repr(value) for value in found(1)] == ["1", "1.0"]
    assert found(True) == [True]
    assert found(None) == [None]
    assert found("1") == ["1"]
    # The float's decimal digits, not its binary value 1234567890123456768.
    assert found(1.2345678901234568e18) == [1234567890123456800]
    assert found(0.1) == [0.1]


def test_two_who_open_a_name_at_the_same_moment_share_its_log(name, monkeypatch):
    made, first = names.MemoryLog, []

    def beside(**options):
        monkeypatch.setattr(names, "MemoryLog", made)
        first.append(names.open_log(name, **options))
        return made(**options)

    monkeypatch.setattr(names, "MemoryLog", beside)
    assert names.open_log(name, unique_event_ids=False) is first[0]
