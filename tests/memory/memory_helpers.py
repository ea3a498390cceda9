"""What the tests of the memory adapter share."""

import time
from contextlib import contextmanager, suppress

from mink_core import ExpectedVersion, NewEvent, StreamAppend

ANY = ExpectedVersion.ANY


class _Undo(Exception):  # noqa: N818 -- no error, but the way out of a block
    pass


@contextmanager
def rolled_back(store):
    """A transaction whose block ends with an exception."""
    with suppress(_Undo), store.transaction() as transaction:
        yield transaction
        raise _Undo


def add(log, *stream_ids, count=1, kind="T"):
    """Append to one stream, or to several in a batch."""
    events = [[NewEvent(kind, number) for number in range(count)] for _ in stream_ids]
    if len(stream_ids) == 1:
        return log.append(stream_ids[0], events[0], expected_version=ANY)
    return log.append_batch([StreamAppend(name, new, ANY) for name, new in zip(stream_ids, events, strict=True)])


def until(condition):
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def queue_length(store, key):
    """How many wait for a stream or an event id."""
    return len(store._handle.log._locks._queues.get(key, ()))


def nothing_locked(store):
    """Whether neither a lock, nor a queue, nor a transaction was left behind."""
    locks = store._handle.log._locks
    return not locks.owners and not locks._queues and not store._handle._transactions
