"""Peers' writers by threads: all are counted, and none dies unseen."""

from __future__ import annotations

import threading

import pytest

from mink_benchmarks.peers.by_threads import append_by_threads


def test_every_append_of_every_writer_is_counted():
    done = [0, 0, 0]

    def begin(writer):
        meeting.wait()

        def append():
            done[writer] += 1

        return append

    meeting = threading.Barrier(3)
    sample = append_by_threads(3, 10, 0.2, begin)
    assert min(done) > 0
    assert sample.count == 10 * sum(done)
    assert len(sample.latencies) == sum(done)
    assert sample.seconds >= 0.2


def test_a_writer_that_fails_ends_all_and_is_told():
    def begin(writer):
        def append():
            if writer:
                raise LookupError(writer)

        return append

    with pytest.raises(LookupError, match="1"):
        append_by_threads(2, 1, 600, begin)
