"""A client of `benchmarks.kills`: talks in shared conversations until it is killed, and notes what was answered."""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import anthropic

from sash import Conversation
from sash.errors import SashError

PAUSE = 0.1
"""Seconds after an error, as in a loop of one's own."""
MODEL = "claude-sonnet-5-5"


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: a light"


class Client:
    """One life of a client. Each line of `notes` is an operation that returned, or the error that it raised."""

    def __init__(self, where: str, url: str, notes: Path, conversations: int) -> None:
        self._where, self._many = where, conversations
        self._api = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
        self._chats: dict[str, Conversation] = {}
        self._chance = Random(os.getpid() ^ uuid.uuid4().int)
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def run(self) -> None:
        """Go on until the process is killed."""
        operations: tuple[Callable[[Conversation, str], None], ...] = (
            *(self._send, self._send, self._stream, self._run, self._fork, self._extend, self._recall),
        )
        while True:
            operation, mark = self._chance.choice(operations), f"mark{uuid.uuid4().hex}"
            try:
                operation(self._chat(), mark)
            except SashError as error:
                self._note(error=type(error).__name__, said=str(error))
                time.sleep(PAUSE)
            except Exception as error:  # noqa: BLE001 - told in the report
                self._note(untyped=repr(error))

    def _chat(self) -> Conversation:
        id = f"c{self._chance.randrange(self._many)}"
        if id not in self._chats:
            self._chats[id] = self._open(id)
        return self._chats[id]

    def _open(self, id: str) -> Conversation:
        return Conversation(self._where, id=id, model=MODEL, client=self._api, max_tokens=300, budget=4_000, keep=1_000)

    def _note(self, **said: Any) -> None:
        os.write(self._notes, (json.dumps(said) + "\n").encode())

    def _send(self, chat: Conversation, mark: str) -> None:
        chat.send(f"Note {mark}, please.")
        self._note(mark=mark, how="send")

    def _stream(self, chat: Conversation, mark: str) -> None:
        with chat.stream(f"Note {mark}, please.") as stream:
            stream.until_done()
        self._note(mark=mark, how="stream")

    def _run(self, chat: Conversation, mark: str) -> None:
        chat.run(f"Note {mark} and look_up lamp.", tools=[look_up], max_steps=3)
        self._note(mark=mark, how="run")

    def _fork(self, chat: Conversation, mark: str) -> None:
        with chat.fork(id=f"fork-{mark}") as fork:
            fork.send(f"Note {mark}, please.")
        self._note(mark=mark, how="fork")

    def _extend(self, chat: Conversation, mark: str) -> None:
        said = f"Said elsewhere: {mark}."
        chat.extend([{"role": "user", "content": said}, {"role": "assistant", "content": "Yes."}])
        self._note(mark=mark, how="extend")

    def _recall(self, chat: Conversation, mark: str) -> None:
        chat.recall("please note the lamp")
        self._note(recalled=mark)


def live(where: str, url: str, notes: Path, conversations: int) -> None:
    """What a process does."""
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    Client(where, url, notes, conversations).run()


def warm_up() -> None:
    """Load what a first send loads, in the server that forks the clients."""
    with Conversation(id="a", model=MODEL, client="simulator") as chat:
        chat.send("Hello.")
