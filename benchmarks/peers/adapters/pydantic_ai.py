"""pydantic-ai: a history processor as its documentation has it, and the window of its harness.

An agent runs against a transport that keeps the body; what is said to it is answered by whoever drives the benchmark.
The library brings no store: the history is its own JSON in a file, written whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from pydantic_ai import Agent
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.usage import RequestUsage
from pydantic_ai_harness.compaction import SlidingWindowCompaction

from benchmarks.peers.peer import Body, Message, Peer, text_of

MODEL = "claude-sonnet-5-5"
ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "."}], "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip


class Keeping(httpx2.AsyncBaseTransport):
    """Keeps the newest body, and answers all alike."""

    body: Body

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.body = json.loads(await request.aread())
        return httpx2.Response(200, json=ANSWER)


class _PydanticAI(Peer):
    packages = ("pydantic-ai-slim", "pydantic-ai-harness", "anthropic")
    caching = "its own anthropic_cache: the API's automatic marker, 5 minutes, and anthropic_cache_instructions"

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.sent = Keeping()
        client = AsyncAnthropic(api_key="none", http_client=httpx2.AsyncClient(transport=self.sent))
        self.agent = Agent(
            AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=client)),
            instructions=self.setting.system or None,
            capabilities=[self.window()],
            model_settings=AnthropicModelSettings(
                max_tokens=1_024, anthropic_cache=True, anthropic_cache_instructions=bool(self.setting.system)
            ),
        )
        self.file = Path(self.setting.folder) / "history.json"
        told = self.file.read_bytes() if self.file.exists() else b"[]"
        self.history: list[ModelMessage] = ModelMessagesTypeAdapter.validate_json(told)
        self.pending: list[ModelMessage] = []

    def window(self) -> Any:
        """What keeps the history within bounds."""
        raise NotImplementedError

    def load(self, messages: Sequence[Message]) -> None:
        self.history = [_made(one) for one in messages]
        self._save()

    def request(self, message: Message) -> Body:
        run = self.agent.run(text_of(message), message_history=self.history)
        self.pending = self.loop.run_until_complete(run).all_messages()[:-1]
        named = ("system", "messages", "tools", "cache_control", "max_tokens")
        return {name: self.sent.body[name] for name in named if name in self.sent.body}

    def reply(self, message: Message) -> None:
        self.history = [*self.pending, _made(message)]
        self._save()

    def close(self) -> None:
        self.loop.close()

    def _save(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_bytes(ModelMessagesTypeAdapter.dump_json(self.history))
        new.replace(self.file)


class Recent(_PydanticAI):
    """The documentation's recipe: a processor that keeps the newest messages."""

    setup = "ProcessHistory(keep the newest MESSAGES), history as JSON in a file; it has no window of tokens"

    def window(self) -> Any:
        return ProcessHistory(self._newest)

    def _newest(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        kept = messages[-(self.setting.messages + 1) :]
        return kept[1:] if isinstance(kept[0], ModelResponse) else kept


class Harness(_PydanticAI):
    """The harness's window: past the budget it falls back to a quarter of it."""

    setup = "SlidingWindowCompaction(max_tokens=BUDGET, keep_tokens=BUDGET / 4), history as JSON in a file"

    def window(self) -> Any:
        return SlidingWindowCompaction(
            max_tokens=self.setting.budget,
            keep_tokens=self.setting.keep,
            tokenizer=self.counter(lambda text: len(text) // 4) if self.setting.tally else None,
        )


def _made(message: Message) -> ModelMessage:
    if message["role"] == "user":
        return ModelRequest(parts=[UserPromptPart(text_of(message))])
    return ModelResponse(parts=[TextPart(text_of(message))], usage=RequestUsage(**message.get("usage", {})))
