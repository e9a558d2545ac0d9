"""LangChain: `trim_messages` over a SQL history, and its summarising middleware. Bodies are those of ChatAnthropic."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from langchain.agents.middleware import ModelRequest, SummarizationMiddleware
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_community.chat_message_histories import SQLChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult

from benchmarks.peers.peer import Ask, Body, Message, Peer, text_of

MODEL = "claude-sonnet-5-5"
CACHING = "its own AnthropicPromptCachingMiddleware: system prompt marked, and the API's automatic marker, 5 minutes"


class Asking(ChatAnthropic):
    """ChatAnthropic whose requests go to whoever drives the benchmark."""

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        options = {name: options[name] for name in options.keys() & {"cache_control"}}
        text = _asks[id(self)](self._get_request_payload(messages, **options))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


_asks: dict[int, Ask] = {}


class _LangChain(Peer):
    packages = ("langchain", "langchain-core", "langchain-anthropic", "langchain-community")
    caching = CACHING

    def open(self) -> None:
        self.model = Asking(model=MODEL, api_key="none", max_tokens=1_024)
        _asks[id(self.model)] = self.ask
        self.markers = AnthropicPromptCachingMiddleware()
        self.said: BaseMessage = HumanMessage("")

    def count(self, messages: Iterable[Any], **options: Any) -> int:
        """The default of both ways, counted where that is wanted."""
        held = list(messages)
        if self.setting.tally:
            self.tokenised += sum(len(str(one.content)) for one in held)
        return int(count_tokens_approximately(held, **options))

    def body(self, messages: Sequence[BaseMessage]) -> Body:
        """What ChatAnthropic would send of these, behind the middleware for caching."""
        system = SystemMessage(self.setting.system) if self.setting.system else None
        asked = ModelRequest(model=self.model, messages=list(messages), system_message=system)
        sent: list[Body] = []

        def keep(request: ModelRequest) -> Any:
            held = [*filter(None, [request.system_message]), *request.messages]
            sent.append(self.model._get_request_payload(held, **request.model_settings))

        self.markers.wrap_model_call(asked, keep)
        return sent[0]


class Trimmed(_LangChain):
    """`trim_messages` to the budget before every request."""

    setup = (
        "trim_messages(max_tokens=BUDGET, token_counter='approximate', strategy='last', start_on='human'), "
        "SQLChatMessageHistory on SQLite"
    )

    def open(self) -> None:
        super().open()
        with warnings.catch_warnings(action="ignore"):  # langchain-community says that it is being retired
            file = f"sqlite:///{Path(self.setting.folder) / 'history.db'}"
            self.history = SQLChatMessageHistory("conversation", connection=file)
        self.messages = self.history.messages

    def load(self, messages: Sequence[Message]) -> None:
        self.messages = [_made(one) for one in messages]
        self.history.add_messages(self.messages)

    def request(self, message: Message) -> Body:
        self.said = _made(message)
        system = [SystemMessage(self.setting.system)] if self.setting.system else []
        kept = trim_messages(
            [*system, *self.messages, self.said],
            max_tokens=self.setting.budget,
            token_counter=self.count if self.setting.tally else "approximate",
            strategy="last",
            start_on="human",
            include_system=True,
        )
        return self.body(kept[len(system) :])

    def reply(self, message: Message) -> None:
        new = [self.said, _made(message)]
        self.history.add_messages(new)
        self.messages += new

    def close(self) -> None:
        self.history.engine.dispose()


class Summarising(_LangChain):
    """`SummarizationMiddleware`: past the budget, a summary takes the place of all but the last quarter."""

    setup = "SummarizationMiddleware(trigger=('tokens', BUDGET), keep=('tokens', BUDGET / 4)), the rest as it comes"

    def open(self) -> None:
        super().open()
        self.middleware = SummarizationMiddleware(
            self.model,
            trigger=("tokens", self.setting.budget),
            keep=("tokens", self.setting.keep),
            token_counter=self.count if self.setting.tally else count_tokens_approximately,
        )
        self.messages: list[BaseMessage] = []

    def load(self, messages: Sequence[Message]) -> None:
        self.messages = [_made(one) for one in messages]

    def request(self, message: Message) -> Body:
        self.messages = self._state(message)
        return self.body(self.messages)

    def peek(self, message: Message) -> Body:
        return self.body(self._state(message))

    def reply(self, message: Message) -> None:
        self.messages.append(_made(message))

    def _state(self, message: Message) -> list[BaseMessage]:
        """The messages of the agent's state when this is said, behind the middleware."""
        messages = [*self.messages, _made(message)]
        update = self.middleware.before_model({"messages": messages}, None)
        if update is None:
            return messages
        return [one for one in update["messages"] if not isinstance(one, RemoveMessage)]


def _made(message: Message) -> BaseMessage:
    if message["role"] == "user":
        return HumanMessage(text_of(message))
    usage = message.get("usage")
    total = {**usage, "total_tokens": sum(usage.values())} if usage else None
    return AIMessage(text_of(message), usage_metadata=total, response_metadata={"model_provider": "anthropic"})
