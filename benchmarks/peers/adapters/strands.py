"""Strands: an agent with `SlidingWindowConversationManager` and files. Bodies are those of its AnthropicModel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from strands import Agent
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.models.anthropic import AnthropicModel
from strands.models.model import CacheConfig
from strands.session.file_session_manager import FileSessionManager

from benchmarks.peers.peer import Body, Message, Peer, text_of

MODEL = "claude-sonnet-5-5"


class Windowed(Peer):
    """The newest messages, a fixed number of them, applied after each turn."""

    packages = ("strands-agents",)
    setup = "SlidingWindowConversationManager(window_size=MESSAGES), FileSessionManager; it has no window of tokens"
    caching = "its own CacheConfig(strategy='auto'): system prompt and last user message, 5 minutes"

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.model = AnthropicModel(
            client_args={"api_key": "none"}, model_id=MODEL, max_tokens=1_024, cache_config=CacheConfig(strategy="auto")
        )
        self.agent = Agent(
            model=self.model,
            system_prompt=self.setting.system or None,
            agent_id="agent",
            callback_handler=None,
            session_manager=FileSessionManager(session_id="conversation", storage_dir=self.setting.folder),
            conversation_manager=SlidingWindowConversationManager(window_size=self.setting.messages),
        )
        self.said: Any = None

    def load(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._keep(_made(message))
        self.agent._session_manager.sync_agent(self.agent)

    def request(self, message: Message) -> Body:
        self.said = _made(message)
        held = [*self.agent.messages, self.said]
        body: Body = self.model.format_request(held, None, self.setting.system or None)
        return body

    def reply(self, message: Message) -> None:
        self._keep(self.said)
        self._keep(_made(message))
        self.agent._session_manager.sync_agent(self.agent)

    def close(self) -> None:
        self.loop.close()

    def _keep(self, message: Any) -> None:
        """As the agent's own loop does it: the window is applied at the end of a turn."""
        self.loop.run_until_complete(self.agent._append_messages(message))
        if message["role"] == "assistant":
            self.agent.conversation_manager.apply_management(self.agent)


def _made(message: Message) -> Any:
    return {"role": message["role"], "content": [{"text": text_of(message)}]}
