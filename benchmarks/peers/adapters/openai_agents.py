"""OpenAI Agents SDK: a `SQLiteSession` with a limit of items. The request is what the runner's own step makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.memory import SessionSettings
from agents.run_internal.session_persistence import prepare_input_with_session

from agents import SQLiteSession
from benchmarks.peers.peer import Body, Message, Peer, automatic, text_of


class Limited(Peer):
    """The newest items of a session, a fixed number of them: the SDK has no window of tokens."""

    packages = ("openai-agents",)
    setup = "SQLiteSession(session_settings=SessionSettings(limit=MESSAGES)); it has no window of tokens"
    caching = "none of its own for Claude; given the API's automatic marker, 5 minutes"

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        file = Path(self.setting.folder) / "sessions.db"
        self.session = SQLiteSession(
            "conversation", db_path=file, session_settings=SessionSettings(limit=self.setting.messages)
        )
        self.said: Any = None

    def load(self, messages: Sequence[Message]) -> None:
        self.loop.run_until_complete(self.session.add_items([_item(one) for one in messages]))

    def request(self, message: Message) -> Body:
        self.said = _item(message)
        items, _ = self.loop.run_until_complete(prepare_input_with_session([self.said], self.session, None))
        return automatic([{"role": one["role"], "content": one["content"]} for one in items], self.setting.system)

    def reply(self, message: Message) -> None:
        self.loop.run_until_complete(self.session.add_items([self.said, _item(message)]))

    def close(self) -> None:
        self.session.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


def _item(message: Message) -> Any:
    return {"role": message["role"], "content": text_of(message)}
