"""Mistakes that type checkers refuse: each line tells which error it expects, and an error that fails to come is one.

`make lint` reads this file with mypy --strict (`warn_unused_ignores`) and with pyright
(`reportUnnecessaryTypeIgnoreComment`); nobody runs it.
"""

from __future__ import annotations

from sash import AsyncConversation, Conversation, Reply, SlidingWindow
from sash.types import SendOptions


def misspelt() -> None:
    Conversation("chats.db", budgt=3_000)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Conversation("chats.db", temperature=0.5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    chat = Conversation("chats.db")
    chat.send("Hello.", max_token=100)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    chat.stream("Hello.", modle="claude-opus-5-5")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    chat.run("Hello.", max_step=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    chat.plan("Hello.", token="form-17")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def of_the_wrong_type() -> None:
    Conversation("chats.db", budget="32000")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Conversation("chats.db", memory="much")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Conversation("chats.db", strategy=SlidingWindow)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Conversation("chats.db", busy="never")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AsyncConversation("chats.db", count_online="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    chat = Conversation("chats.db")
    chat.send(17)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    chat.send("Hello.", max_tokens="100")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    chat.edit("the first", "Hello.")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def not_awaited(chat: AsyncConversation) -> None:
    reply: Reply = chat.send("Hello.")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(chat.send("Hello.").text)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    print(reply.text)


def options() -> SendOptions:
    return {"max_token": 100}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportReturnType]
