"""What an import costs beside the SDK's, and memory: of an open conversation, and of many that do nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import sash
from benchmarks.speed.measuring import MODEL, TURN, Answering, Row, async_client, record, resident, said, settled
from benchmarks.speed.requests import talk
from sash import AsyncConversation

MEGABYTE = 1_000_000
MORE = 4
"""Open conversations that are measured, beside one that is open before."""
_TIMED = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


def imports(rounds: int = 5) -> Iterator[Row]:
    """The least CPU that `import sash` and `import anthropic` took in processes of their own, both compiled before."""
    with tempfile.TemporaryDirectory() as compiled:
        times = [(_import("sash", compiled), _import("anthropic", compiled)) for _ in range(rounds + 1)][1:]
    ours, theirs = (1_000 * min(column) for column in zip(*times, strict=True))
    yield Row(what="import sash", size="", ours=ours, unit="ms", beside="anthropic", theirs=theirs, goal="0.25")


def _import(name: str, compiled: str) -> float:
    keeping = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(name)],
        capture_output=True,
        text=True,
        check=True,
        env={**keeping, "PYTHONPYCACHEPREFIX": compiled},
    )
    return float(done.stdout)


def memory(tokens: int, idle: int) -> Iterator[Row]:
    """What each further open conversation holds beside its body, and so many idle ones beside one."""
    yield _apart("one", tokens)
    yield _apart("idle", idle)


def _apart(which: str, size: int) -> Row:
    """Measured in a process of its own: what others left behind is not counted."""
    program = f"from benchmarks.speed import start; start.report({which!r}, {size})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return Row(**json.loads(done.stdout))


def report(which: str, size: int) -> None:
    """Print one figure as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.db"
        print(json.dumps(_one(path, size) if which == "one" else asyncio.run(_idle(path, size))))


def _one(path: Path, tokens: int) -> dict[str, object]:
    turns, answering = 2 * (tokens // TURN // 2), Answering()
    for number in range(MORE + 1):
        record(path, turns, f"c{number}", first=number * turns)
    with closing(sash.open(path)) as store, ExitStack() as left:
        bodies, held = [], []
        for number in range(MORE + 1):  # the first pays for what is loaded once, and for what the SDK needs to send
            chat = left.enter_context(talk(store, answering, 2 * tokens, id=f"c{number}"))
            bodies.append(len(json.dumps(settled(chat, answering))))
            gc.collect()
            held.append(resident())
    size = f"{tokens:,} tokens"
    return {
        "what": "memory, open", "size": size, "ours": (held[-1] - held[0]) / MORE / MEGABYTE, "unit": "MB",
        "beside": "body", "theirs": sum(bodies[1:]) / MORE / MEGABYTE, "goal": "2.5",
    }  # fmt: skip


async def _idle(path: Path, number: int) -> dict[str, object]:
    store, claude = sash.open(path), async_client(Answering())
    chats = [AsyncConversation(store, id=f"c{i}", model=MODEL, client=claude) for i in range(number + 1)]
    await chats[0].send(said(0))
    gc.collect()
    before = resident()
    for chat in chats[1:]:
        await chat.send(said(0))
    gc.collect()
    grown = resident() - before
    return {
        "what": "memory, idle", "size": f"{number:,} conversations", "ours": grown / MEGABYTE, "unit": "MB",
        "goal": "100",
    }  # fmt: skip
