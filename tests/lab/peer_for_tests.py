"""Peers of a few lines, as another library might behave. Standard library alone: a process of its own runs them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.peer import Body, Message, Peer, automatic


class Whole(Peer):
    """Sends all that was said."""

    packages = ()
    setup, caching = "everything", "automatic"

    def open(self) -> None:
        self.messages: list[Message] = []
        self.said: Message = {}

    def load(self, messages: Sequence[Message]) -> None:
        self.messages = list(messages)

    def request(self, message: Message) -> Body:
        self.said = message
        return automatic([*self.messages, message], self.setting.system)

    def reply(self, message: Message) -> None:
        self.messages += [self.said, {name: message[name] for name in ("role", "content")}]


class Odd(Whole):
    """Cuts so that a request begins with a tool result of no call."""

    def request(self, message: Message) -> Body:
        body = super().request(message)
        orphan = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]}
        return {**body, "messages": [orphan, *body["messages"]]} if len(self.messages) > 10 else body


class Summed(Whole):
    """Has all but the newest summarised, at every request."""

    def request(self, message: Message) -> Body:
        body = super().request(message)
        if not self.messages:
            return body
        told = "\n".join(f"{one['content']}" for one in self.messages)
        text = self.ask({"max_tokens": 500, "messages": [{"role": "user", "content": f"Summarise:\n{told}"}]})
        return automatic([{"role": "user", "content": f"{text}\n\n{message['content']}"}])


class Broken(Whole):
    """Raises whenever something is said."""

    def request(self, message: Message) -> Body:
        raise KeyError(message["role"])
