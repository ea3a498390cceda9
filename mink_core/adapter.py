"""For those who write an adapter: what every adapter of ours is made of.

`mink_core` is for those who use a store; this module adds what stands behind one. Its names are
public like those of `mink_core`. `docs/write-an-adapter.md` builds an adapter from them.

| you have to | use |
|---|---|
| refuse bad input before anything is sent | `prepare_append`, `prepare_batch`; `check_read_stream`, `check_feed`, `check_poll`, `check_streams`, `check_stream_id` |
| decide what is stored, repeated or refused | `Staging`, `store_appends` |
| keep events, and hand them out | `EncodedEvent`, `encode_events`, `decode_event`, `result_of` |
| filter the feed | `predicate_of` |
| follow it | `PollingSubscription`, `AsyncPollingSubscription` |
| offer `update` | `Updating`, `AsyncUpdating` |
| offer `subscription`, or refuse it | `Durable`, `AsyncDurable` |
| keep checkpoints | `check_save`, `check_reset`, `check_checkpoint_name` |
| refuse the sub-stores that you do not have | `SubStores` |
| take less than the contract allows | `Limits` |
| be found by a URL | `Adapter`, the entry-point group `ADAPTERS` |
"""

from mink_core.deciding import Staging, fits, store_appends
from mink_core.encoded import EncodedEvent, decode_event, encode_events, result_of
from mink_core.expected import exact_version
from mink_core.filters import EVERYTHING
from mink_core.json_codec import decode_json, encode_json
from mink_core.limits import (
    MAX_CALL_BYTES,
    MAX_CALL_EVENTS,
    MAX_CATEGORY,
    MAX_EVENT_TYPE,
    MAX_JSON_BYTES,
    MAX_JSON_DEPTH,
    MAX_STREAM_ID,
    Limits,
    check_category,
    check_checkpoint_name,
    check_count,
    check_event_type,
    check_expected,
    check_limit,
    check_stream_id,
)
from mink_core.matching import predicate_of
from mink_core.prepare import PreparedAppend, PreparedEvent, prepare_append, prepare_batch
from mink_core.registry import GROUP as ADAPTERS
from mink_core.registry import Adapter, Namespaces
from mink_core.runtime.async_subscription import AsyncPollingSubscription
from mink_core.runtime.checks import (
    check_feed,
    check_poll,
    check_read_stream,
    check_reset,
    check_save,
    check_streams,
    check_subscribe,
)
from mink_core.runtime.durable import AsyncDurable, Durable
from mink_core.runtime.settings import POLL_INTERVAL
from mink_core.runtime.subscription import PollingSubscription
from mink_core.runtime.substores import SubStores
from mink_core.runtime.updating import AsyncUpdating, Updating
from mink_core.transforms import apply_incoming, apply_outgoing

__all__ = [
    "ADAPTERS",
    "EVERYTHING",
    "MAX_CALL_BYTES",
    "MAX_CALL_EVENTS",
    "MAX_CATEGORY",
    "MAX_EVENT_TYPE",
    "MAX_JSON_BYTES",
    "MAX_JSON_DEPTH",
    "MAX_STREAM_ID",
    "POLL_INTERVAL",
    "Adapter",
    "AsyncDurable",
    "AsyncPollingSubscription",
    "AsyncUpdating",
    "Durable",
    "EncodedEvent",
    "Limits",
    "Namespaces",
    "PollingSubscription",
    "PreparedAppend",
    "PreparedEvent",
    "Staging",
    "SubStores",
    "Updating",
    "apply_incoming",
    "apply_outgoing",
    "check_category",
    "check_checkpoint_name",
    "check_count",
    "check_event_type",
    "check_expected",
    "check_feed",
    "check_limit",
    "check_poll",
    "check_read_stream",
    "check_reset",
    "check_save",
    "check_stream_id",
    "check_streams",
    "check_subscribe",
    "decode_event",
    "decode_json",
    "encode_events",
    "encode_json",
    "exact_version",
    "fits",
    "predicate_of",
    "prepare_append",
    "prepare_batch",
    "result_of",
    "store_appends",
]
