"""One relay in a process of its own: notes every publication before it is acknowledged, and may be killed at any time."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from mink_core import CallablePublisher, OutboxRelay, StorageError, open_store

if TYPE_CHECKING:
    from mink_core import ClaimedMessage


class Told(OutboxRelay):
    """Notes at once that a batch is acknowledged and how much of it was refused, as it may not live to tell."""

    log = -1

    def run_once(self) -> int:
        before = self.counts.refused
        try:
            claimed = super().run_once()
        except StorageError:
            self.note_late()
            raise
        if self.counts.refused > before:
            os.write(self.log, f"refused {self.counts.refused - before}\n".encode())
        elif claimed:
            os.write(self.log, b"acknowledged\n")
        return claimed

    def note_late(self) -> None:
        """What was published and not acknowledged until the lease was over is published again."""
        outbox: Any = self._outbox
        for number in outbox.unsettled:
            os.write(self.log, f"late {number}\n".encode())
        outbox.unsettled = []


class Noting:
    """An outbox that notes, before the relay goes on, which published messages it could not acknowledge."""

    def __init__(self, outbox: Any, log: int) -> None:
        self._outbox = outbox
        self._log = log
        self.unsettled: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    def settle(self, verdicts: Any) -> Any:
        tried = {verdict.message.position for verdict in verdicts if not verdict.untried}
        try:
            refused = self._outbox.settle(verdicts)
        except StorageError as error:
            self.unsettled = [verdict.message.payload["n"] for verdict in verdicts if not verdict.untried]
            os.write(self._log, f"unsettled {len(tried)} {type(error).__name__}\n".encode())
            raise
        self.unsettled = []
        for message in refused:
            if message.position in tried:
                os.write(self._log, f"late {message.payload['n']}\n".encode())
        return refused


def main(url: str, folder: str, lease: str) -> None:
    # What was written by write() before SIGKILL is in the file: nothing is buffered in the process.
    name = f"{os.getpid()}"
    log = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def publish(message: ClaimedMessage) -> None:
        if message.payload["kind"] == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(log, f"{message.payload['n']} {message.token}\n".encode())
        time.sleep(0.002)  # as long as a fast broker takes, so that a kill finds it between two
        if message.payload["kind"] == "broken" and message.attempts == 1:
            error = "the first attempt of this one fails"
            raise RuntimeError(error)

    with open_store(url) as store:
        relay = Told(
            store, CallablePublisher(publish), worker=name, lease=float(lease), batch_size=50, poll_interval=0.05
        )
        relay.log = log
        relay._outbox = Noting(relay._outbox, log)
        signal.signal(signal.SIGTERM, lambda *_: relay.stop())
        os.write(log, b"ready\n")
        relay.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
