"""The connection breaks between the commit and its reply."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mink_benchmarks.faults.lab import Fault
from mink_benchmarks.faults.load import STREAM
from mink_core.testing import Fault as Cut
from mink_postgres.testing.proxy import Proxy

if TYPE_CHECKING:
    from contextlib import ExitStack

    from mink_benchmarks.faults.lab import Lab


class LoseReply(Fault):
    """The server commits an append, and the connection is cut before the reply arrives."""

    name = "reply lost after the commit"
    pause = 0.05

    def writing_url(self, url: str, stack: ExitStack) -> str:
        """Through a proxy, which must be able to read what passes."""
        parts = urlsplit(url)
        self._proxy = Proxy(str(parts.hostname), parts.port or 5432)
        stack.callback(self._proxy.close)
        through = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self._proxy.port}")
        return f"{through.geturl()}?sslmode=disable"

    def strike(self, lab: Lab) -> int:
        """Cut the next append's connection once the server is done with it."""
        before, unknown = self._proxy.struck, lab.ledger.refusals["OutcomeUnknownError"]
        self._proxy.arm(Cut.CUT_AFTER, STREAM.encode())
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self._proxy.struck > before and lab.ledger.refusals["OutcomeUnknownError"] > unknown:
                return 1
            time.sleep(0.005)
        lab.ledger.surprise("a lost reply was not told as an unknown outcome")
        return 0
