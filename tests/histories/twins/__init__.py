"""Broken adapters around the memory store, each wrong in one way that only concurrent callers meet."""

from tests.histories.twins.appending import (
    AsyncBatchOneByOne,
    AsyncDirtyTransaction,
    AsyncReadThenWrite,
    BatchOneByOne,
    ConflictUnderAny,
    DirtyTransaction,
    EventsOneByOne,
    ForgetsRepeats,
    ReadThenWrite,
    StaleActual,
    WritesTwice,
)
from tests.histories.twins.base import AsyncWrapped, Wrapped
from tests.histories.twins.checkpointing import LastSaveWins, LetsGoEarly, NoFence, OneToken, StaleCheckpointConflict
from tests.histories.twins.feeding import GapTimeout, HeadAbove, PlainCursor, SkipsPageEnd, WaitsForIdle
from tests.histories.twins.following import (
    GreedySubscription,
    LossyLive,
    LostAtHandOver,
    RepeatedAtHandOver,
    SleepsOn,
)
from tests.histories.twins.reading import HoldsOn, LeavesAThread, ReadsItAll, StaleReads

__all__ = ["ASYNC", "AT_STANDARD", "SYNC", "AsyncWrapped", "ReadThenWrite", "SleepsOn", "Wrapped"]


SYNC = [
    ReadThenWrite,
    ConflictUnderAny,
    StaleActual,
    ForgetsRepeats,
    WritesTwice,
    BatchOneByOne,
    EventsOneByOne,
    PlainCursor,
    GapTimeout,
    HeadAbove,
    SkipsPageEnd,
    WaitsForIdle,
    DirtyTransaction,
    LostAtHandOver,
    RepeatedAtHandOver,
    LossyLive,
    StaleReads,
    LeavesAThread,
    LastSaveWins,
    StaleCheckpointConflict,
    NoFence,
    LetsGoEarly,
    OneToken,
]


AT_STANDARD = [ReadsItAll, HoldsOn, GreedySubscription]


ASYNC = [AsyncReadThenWrite, AsyncBatchOneByOne, AsyncDirtyTransaction]
