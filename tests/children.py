"""What other processes do in the tests of several modules, and how those are started.

The server that forks them has imported what they need and counted once, so that a child begins where its work begins.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import anthropic
import pytest

from lines import ticket
from sash import Conversation, SqliteStore
from sash.cli import main
from striking import around_all

MODEL = "claude-sonnet-5-5"


@cache
def context() -> ForkServerContext:
    """Where children come from: a server that has been told what to import first, and where that is.

    Before Python 3.14 `multiprocessing` does not tell it where, and it goes on without.
    """
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["children", "children_ready"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return made


def started(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that does this work and ends."""
    process = context().Process(target=work, args=arguments)
    process.start()
    return process


def ended(*processes: BaseProcess) -> list[int | None]:
    """How each ended, once all have: 0, or the signal below 0."""
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def client_of(url: str) -> anthropic.Anthropic:
    """A client of a simulator that is served there."""
    return anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)


def note_ready(path: Path) -> None:
    """Write down whether all was loaded before the work began."""
    path.write_text(str({"children_ready", "httpcore2"} <= set(sys.modules)))


def open_file(path: Path) -> None:
    """Open a record and close it."""
    SqliteStore(path).close()


def die_at(where: Path | str, url: str, at: int, streamed: bool) -> None:
    """A send or a stream whose process is killed before its step or call of the store number `at`."""
    steps = 0

    @contextmanager
    def deadly() -> Iterator[None]:
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), 9)
        yield

    chat = Conversation(where, id="a", model=MODEL, client=client_of(url))
    with around_all(deadly):
        if not streamed:
            chat.send("Tell me of the harbour.")
            return
        with chat.stream("Tell me of the harbour.") as reply:
            reply.until_done()


def enter(path: Path, conversation: int) -> None:
    """Stand in line, and end without a word."""
    SqliteStore(path).leases.enter(ticket(conversation))
    os._exit(0)


def hold(path: Path, url: str, held: Path) -> None:
    """Begin a stream, say so by making a file, and never go on."""
    chat = Conversation(path, id="a", model=MODEL, client=client_of(url))
    with chat.stream("Tell me of the harbour."):
        held.touch()
        threading.Event().wait()


def talk(where: Path | str, url: str, name: str, many: int) -> None:
    """Say so much, each when it is its turn."""
    with Conversation(where, id="a", model=MODEL, client=client_of(url)) as chat:
        for number in range(many):
            chat.send(f"{name} {number}")


def command(url: str, *arguments: str) -> None:
    """A command of `sash` that asks a simulator which is served there; ends as the command does."""
    os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "x"}
    main(list(arguments))
