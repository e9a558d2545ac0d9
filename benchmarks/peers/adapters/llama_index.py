"""llama-index: `Memory` on SQLite, and the older `ChatMemoryBuffer`. It formats for Claude in a package of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.utils import get_tokenizer

from benchmarks.peers.peer import Body, Message, Peer, automatic, text_of

CACHING = "given the API's automatic marker, 5 minutes: its own cache_idx marks every message, and four are allowed"
AT_ONCE = 40
"""Messages of one call while a past is taken: all that are in it are counted again."""


class _LlamaIndex(Peer):
    packages: ClassVar[tuple[str, ...]] = ("llama-index-core",)
    caching = CACHING

    def tokenizer(self) -> Callable[[str], list[Any]]:
        """Its default, what it reads counted where that is wanted."""
        encode = get_tokenizer()
        count = self.counter(lambda text: len(encode(text)))
        return (lambda text: [0] * count(text)) if self.setting.tally else encode

    def body(self, history: Sequence[ChatMessage]) -> Body:
        """As messages of the API."""
        messages = [{"role": one.role.value, "content": one.content} for one in history]
        return automatic(messages, self.setting.system)


class Queue(_LlamaIndex):
    """`Memory`: a queue of messages that gives way at 70% of the limit."""

    packages = ("llama-index-core", "sqlalchemy", "aiosqlite")
    setup = "Memory.from_defaults(token_limit=BUDGET, async_database_uri='sqlite+aiosqlite:///FILE'), no memory blocks"

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.memory = Memory.from_defaults(
            session_id="conversation",
            token_limit=self.setting.budget,
            tokenizer_fn=self.tokenizer(),
            async_database_uri=f"sqlite+aiosqlite:///{Path(self.setting.folder) / 'memory.db'}",
        )

    def load(self, messages: Sequence[Message]) -> None:
        for at in range(0, len(messages), AT_ONCE):
            self._done(self.memory.aput_messages([_made(one) for one in messages[at : at + AT_ONCE]]))

    def request(self, message: Message) -> Body:
        self._done(self.memory.aput(_made(message)))
        return self.body(self._done(self.memory.aget()))

    def peek(self, message: Message) -> Body:
        return self.body([*self._done(self.memory.aget()), _made(message)])

    def reply(self, message: Message) -> None:
        self._done(self.memory.aput(_made(message)))

    def close(self) -> None:
        if (engine := self.memory.sql_store._async_engine) is not None:
            self._done(engine.dispose())
        self.loop.close()

    def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)


class Buffer(_LlamaIndex):
    """`ChatMemoryBuffer`: all messages in memory, the newest that fit are taken.

    In memory alone: with pydantic 2.14 its SimpleChatStore raises when it is written to a file.
    """

    setup = "ChatMemoryBuffer.from_defaults(token_limit=BUDGET), in memory"

    def open(self) -> None:
        self.memory = ChatMemoryBuffer.from_defaults(token_limit=self.setting.budget, tokenizer_fn=self.tokenizer())

    def load(self, messages: Sequence[Message]) -> None:
        self.memory.set([_made(one) for one in messages])

    def request(self, message: Message) -> Body:
        self.memory.put(_made(message))
        return self.body(self.memory.get())

    def peek(self, message: Message) -> Body:
        return self.body([*self.memory.get(), _made(message)])

    def reply(self, message: Message) -> None:
        self.memory.put(_made(message))


def _made(message: Message) -> ChatMessage:
    return ChatMessage(role=message["role"], content=text_of(message))
