"""A peer in a process of its own: `PEER_PYTHON -m benchmarks.peers.child MODULE KIND`, a line of JSON each way.

A command is `{"do": NAME, ...}` (the functions of `Serving`), its answer `{"done": ...}` or `{"error": TEXT}`. Between
the two a peer may want a model asked: it says `{"ask": BODY}` and is told `{"text": TEXT}`. Standard library alone.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from benchmarks.peers.peer import Body, Message, Peer, Setting

SAMPLES, LEAST = 15, 3
"""Turns of a measurement: at most, and at least whatever they take."""


class Serving:
    """Carries out commands on one peer."""

    def __init__(self, kind: type[Peer], imported: dict[str, float], out: TextIO) -> None:
        self._kind, self._imported, self._out = kind, imported, out
        self._peer: Peer | None = None

    def about(self) -> dict[str, Any]:
        """Versions, what the import took, and how the peer is used."""
        kind = self._kind
        versions = {name: version(name) for name in kind.packages}
        words = {"setup": kind.setup, "caching": kind.caching, "python": platform.python_version()}
        return {"versions": versions, **words, **self._imported}

    def open(self, setting: dict[str, Any]) -> None:
        """Begin a conversation, or open it again."""
        self._peer = self._kind(Setting(**setting), self._ask)

    def load(self, messages: Sequence[Message]) -> None:
        """A whole past at once."""
        self._now.load(messages)

    def request(self, message: Message) -> Body:
        """What it would send."""
        return self._now.request(message)

    def reply(self, message: Message) -> None:
        """What was answered."""
        self._now.reply(message)

    def peek(self, message: Message) -> Body:
        """What it would send, and keeps nothing of."""
        return self._now.peek(message)

    def measure(self, setting: dict[str, Any], turns: Sequence[Sequence[Message]], limit: float) -> dict[str, Any]:
        """Processor seconds of the first request, everything opened anew, of those behind it, and of keeping a turn.

        Stops after `limit` seconds, not before the least number of turns. `first` is what the first use of all takes,
        on an empty store: libraries import much of themselves only then. Memory is in megabytes: `held` before the
        first request from the store, `grown` at its peak.
        """
        first = self._first_use(setting, turns[0])
        gc.collect()
        held, start = _memory("VmRSS"), time.process_time()
        self.open(setting)
        self._now.request(turns[0][0])
        cold, grown = time.process_time() - start, max(0.0, _memory("VmHWM") - held)
        self._now.reply(turns[0][1])
        warm: list[float] = []
        append: list[float] = []
        before = self._now.tokenised
        for said, answered in turns[1 : SAMPLES + 1]:
            if len(warm) >= LEAST and time.process_time() - start > limit:
                break
            gc.collect()
            warm.append(self._seconds(self._now.request, said))
            append.append(self._seconds(self._now.reply, answered))
        tokenised = (self._now.tokenised - before) / max(1, len(warm))
        return {
            "first": first,
            "cold": cold,
            "held": held,
            "grown": grown,
            "warm": warm,
            "append": append,
            "tokenised": tokenised,
        }

    def _first_use(self, setting: dict[str, Any], turn: Sequence[Message]) -> float:
        """Processor seconds of one exchange with an empty store."""
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            self.open({**setting, "folder": folder})
            self._now.request(turn[0])
            self._now.reply(turn[1])
            self.close()
        return time.process_time() - start

    def _seconds(self, call: Callable[[Message], Any], given: Message) -> float:
        """Processor seconds of a call, without what was done for others meanwhile."""
        start, before = time.process_time(), self._now.elsewhere
        call(given)
        return time.process_time() - start - (self._now.elsewhere - before)

    def close(self) -> None:
        """The end of the conversation."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    @property
    def _now(self) -> Peer:
        if self._peer is None:
            raise RuntimeError("no conversation is open")
        return self._peer

    def _ask(self, body: Body) -> str:
        self.say({"ask": body})
        return str(json.loads(sys.stdin.readline())["text"])

    def say(self, value: Any) -> None:
        """A line to whoever drives this."""
        print(json.dumps(value), file=self._out, flush=True)


def _memory(field: str) -> float:
    """Megabytes that are held now (VmRSS), or were at most (VmHWM); 0 where the system does not tell."""
    status = Path("/proc/self/status")
    told = status.read_text() if status.exists() else ""
    return next((int(line.split()[1]) / 1024 for line in told.splitlines() if line.startswith(field)), 0.0)


def main() -> None:
    """Import the peer, then answer until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    start = time.process_time()
    module = importlib.import_module(sys.argv[1])
    imported = {"import_s": time.process_time() - start}
    serving = Serving(getattr(module, sys.argv[2]), imported, out)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            serving.say({"done": getattr(serving, command.pop("do"))(**command)})
        except Exception as error:  # noqa: BLE001 - a foreign library may raise anything; the driver tells it
            serving.say({"error": f"{type(error).__name__}: {error} ({_place(error)})"})


def _place(error: Exception) -> str:
    """Where it was raised."""
    found = error.__traceback__
    while found is not None and found.tb_next is not None:
        found = found.tb_next
    return "" if found is None else f"{Path(found.tb_frame.f_code.co_filename).name}, line {found.tb_lineno}"


if __name__ == "__main__":
    main()
