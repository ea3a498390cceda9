"""The order service's README, followed: its server is started, and its requests are sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[2] / "examples" / "order_service"
INSTALL_AND_SERVE, REQUESTS, _ = re.findall(r"```sh\n(.*?)```", (SERVICE / "README.md").read_text("utf-8"), re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_service_answers_as_the_readme_has_it(postgres_url: str, schema: str) -> None:
    pytest.importorskip("uvicorn")
    port = free_port()
    _, serve = INSTALL_AND_SERVE.splitlines()
    assert serve == "cd examples/order_service && python -m order_service"
    environment = os.environ | {"MINK_STORE_URL": f"{postgres_url}?schema={schema}", "PORT": str(port)}
    server = subprocess.Popen([sys.executable, "-m", "order_service"], cwd=SERVICE, env=environment)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        script = REQUESTS.replace("localhost:8000", f"127.0.0.1:{port}").replace("curl ", "curl -sSf ")
        place, pay, listed = script.splitlines()
        placed = subprocess.run(["bash", "-c", f"{place} && {pay}"], capture_output=True, text=True, check=False)
        assert placed.returncode == 0, placed.stderr
        assert placed.stdout == '{"version":1}{"version":2}'
        orders: list[dict[str, object]] = []
        while time.monotonic() < end and [order.get("status") for order in orders] != ["paid"]:
            said = subprocess.run(["bash", "-c", listed], capture_output=True, text=True, check=True).stdout
            orders = json.loads(said)  # the read model comes after
        assert [order["status"] for order in orders] == ["paid"]
        server.send_signal(signal.SIGINT)
        assert server.wait(30) in {0, -signal.SIGINT}
    finally:
        server.kill()
        server.wait()
