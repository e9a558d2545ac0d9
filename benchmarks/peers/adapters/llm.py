"""`llm`: its logs.db, loaded as `llm -c` loads it. It sends the whole history."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llm
import sqlite_utils
from llm.cli import load_conversation
from llm.logs import LogStore
from llm.parts import Message as LlmMessage
from llm.parts import TextPart
from llm.plugins import pm

from benchmarks.peers.peer import Body, Message, Peer, automatic, text_of


class Answering(llm.Model):
    """Says what it was told to say."""

    model_id = "answering"
    answer = ""

    def execute(self, *_: Any, **__: Any) -> Iterator[str]:
        yield Answering.answer


class _Plugin:
    @llm.hookimpl
    def register_models(self, register: Any) -> None:
        register(Answering())


pm.register(_Plugin(), name="answering")


class Whole(Peer):
    """Everything, at every request."""

    packages = ("llm",)
    setup = "load_conversation from logs.db, as `llm -c` does; it has no window"
    caching = "given the API's automatic marker, 5 minutes, as llm-anthropic's option cache marks the last message"

    def open(self) -> None:
        os.environ.setdefault("LLM_USER_PATH", tempfile.mkdtemp(prefix="llm"))
        self.file = Path(self.setting.folder) / "logs.db"
        self.conversation = self._loaded()
        self.database = sqlite_utils.Database(self.file)
        self.said = ""

    def _loaded(self) -> Any:
        """The conversation of the file; a new one where it has none."""
        if self.file.exists():
            return load_conversation("conversation", database=str(self.file))
        return llm.Conversation(model=llm.get_model("answering"), id="conversation")

    def load(self, messages: Sequence[Message]) -> None:
        """One thread, each prompt and reply a turn of it, in one transaction."""
        turns: Any = self.database["turns"]
        threads: Any = self.database["threads"]
        with self.database.atomic():
            store = LogStore(self.database)
            tip = store.ensure_chain([_made({"role": "system", "content": self.setting.system or "."})])
            thread = store.create_thread(name="conversation", tip=tip, id="conversation")
            for number, (said, answered) in enumerate(zip(messages[::2], messages[1::2], strict=True)):
                parent = store.ensure_chain([_made(said)], parent=tip)
                tip = store.ensure_chain([_made(answered)], parent=parent)
                row = {"id": f"t{number:08}", "thread_id": thread, "parent_message_hash": parent}
                row |= {"tip_message_hash": tip, "model": "answering", "datetime_utc": "2026-11-30T00:00:00"}
                turns.insert(row)
            threads.update(thread, {"tip_message_hash": tip})

    def request(self, message: Message) -> Body:
        self.said = text_of(message)
        chain = self.conversation._build_full_chain(self.said, None, None, None)
        told = [{"role": one.role, "content": "".join(part.text for part in one.parts)} for one in chain]
        return automatic([one for one in told if one["role"] != "system"], self.setting.system)

    def reply(self, message: Message) -> None:
        Answering.answer = text_of(message)
        response = self.conversation.prompt(self.said, system=None, stream=False)
        response.text()
        response.log_to_db(self.database)

    def close(self) -> None:
        self.database.conn.close()


def _made(message: Message) -> Any:
    return LlmMessage(role=message["role"], parts=[TextPart(text=text_of(message))])
