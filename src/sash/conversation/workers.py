"""The threads that compute for async conversations: a few of sash's own, whatever the program does with asyncio's.

Hundreds of conversations compute in turns there. More threads would only get in each other's way, for one computes at
a time; a few let others go on while one waits for the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

R = TypeVar("R")
WORKERS = 4


def worker(call: Callable[[], R]) -> asyncio.Future[R]:
    """What a call in one of the threads comes to."""
    return asyncio.get_running_loop().run_in_executor(_workers(), call)


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="sash")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # a fork has no threads
