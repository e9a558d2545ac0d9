"""A peer's process as an object with a peer's methods: each call is a line there, and a line back."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import Ask, Body, Message, Setting

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
"""Seconds that one call may take."""


class PeerFailed(Exception):
    """A peer's own code raised, its process ended, or an answer took too long; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way of using a peer: the row label, its environment, its class."""

    label: str
    python: Path
    module: str
    name: str
    """of the class"""


class Driven:
    """A peer in its own process. `patience`: seconds that a call may take.

    Raises PeerFailed where its environment is not there.
    """

    def __init__(self, kind: Kind, ask: Ask, patience: float = PATIENCE) -> None:
        self.ask, self.patience = ask, patience
        command = [str(kind.python), "-m", "benchmarks.peers.child", kind.module, kind.name]
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        kept |= {"PYTHONPATH": str(ROOT / "src"), "OPENAI_AGENTS_DISABLE_TRACING": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=kept,
                text=True,
                encoding="utf-8",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise PeerFailed(f"{kind.python} cannot be run ({error.strerror}); `make peers` makes it") from error
        self._out = selectors.DefaultSelector()
        assert self._process.stdout is not None
        self._out.register(self._process.stdout, selectors.EVENT_READ)

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def about(self) -> dict[str, Any]:
        """Versions, what the import took, and how the peer is used."""
        found: dict[str, Any] = self._tell("about")
        return found

    def open(self, setting: Setting) -> None:
        """Begin a conversation, or open it again."""
        self._tell("open", setting=asdict(setting))

    def load(self, messages: Sequence[Message]) -> None:
        """Take a whole past at once."""
        self._tell("load", messages=list(messages))

    def request(self, message: Message) -> Body:
        """The request that it would send if this was said now."""
        found: Body = self._tell("request", message=message)
        return found

    def reply(self, message: Message) -> None:
        """What was answered to it."""
        self._tell("reply", message=message)

    def peek(self, message: Message) -> Body:
        """The same as `request`, and nothing of it is kept."""
        found: Body = self._tell("peek", message=message)
        return found

    def measure(self, setting: Setting, turns: Sequence[Sequence[Message]], limit: float) -> dict[str, Any]:
        """What the first request takes, those behind it, and what is kept of a turn: see `child.Serving.measure`."""
        found: dict[str, Any] = self._tell("measure", setting=asdict(setting), turns=list(turns), limit=limit)
        return found

    def close(self) -> None:
        """The end of the conversation; the process stays."""
        self._tell("close")

    def _tell(self, command: str, **given: Any) -> Any:
        self._say({"do": command, **given})
        while True:
            answer = self._heard(command)
            if "ask" in answer:
                self._say({"text": self.ask(answer["ask"])})
            elif "error" in answer:
                raise PeerFailed(f"{command}: {answer['error']}")
            else:
                return answer["done"]

    def _say(self, value: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise PeerFailed(f"its process ended with {self._process.wait()}") from error

    def _heard(self, command: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not self._out.select(self.patience):
            raise PeerFailed(f"{command}: no answer within {self.patience:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"{command}: its process ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found
