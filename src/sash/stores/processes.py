"""Who holds something in the record: a process, on a machine, since it was started."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from functools import cache
from pathlib import Path

from sash.stores.transaction import Row


def owner() -> dict[str, object]:
    """This process, as columns of a row."""
    return {"machine": machine(), "process": os.getpid()}


def gone(row: Row) -> bool:
    """Whether the process that a row names has ended. One of another machine, or of Windows, cannot be looked up."""
    if row["machine"] != machine() or sys.platform == "win32":
        return False
    try:
        os.kill(row["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def held_until(row: Row) -> float:
    """Until when (unix seconds) the process that a row names holds it; 0 where that has ended."""
    return 0.0 if gone(row) else float(row["until"])


@cache
def machine() -> str:
    """Where a process id means something: this host (a container has a name of its own), since it was started."""
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{socket.gethostname()} {boot}".strip()
