"""Programs that type checkers accept: `make lint` reads this file with mypy --strict and pyright; nobody runs it."""

from __future__ import annotations

from pathlib import Path

from anthropic import Anthropic
from anthropic.types import MessageParam, TextBlockParam
from pydantic import BaseModel

import sash
from sash import AsyncConversation, Conversation, Count, Economic, File, Plan, Recall, Reply, Summarised, Turn
from sash.limits import Ceiling, Limits
from sash.types import Content, SendOptions


class Order(BaseModel):
    number: int


def order_status(order: int) -> str:
    """Tell where an order is."""
    return f"{order} leaves at nine"


def talk(store: Path) -> float | None:
    with Conversation(store, id="a", model="claude-sonnet-5-5", system="Be kind.", budget=32_000, keep=8_000) as chat:
        reply: Reply = chat.send("Hello.", thinking={"type": "adaptive"}, metadata={"user_id": "ann"}, token="form-17")
        plan: Plan = chat.plan("And now?", model="claude-opus-5-5")
        count: Count = chat.count("And now?", exact=True)
        newest: Turn = chat.history(limit=1)[0]
        chat.edit(newest, "Good day.", max_tokens=100)
        print(plan.explain(), count.tokens, reply.text)
        return reply.cost


def say(chat: Conversation) -> None:
    block: TextBlockParam = {"type": "text", "text": "What is this?"}
    message: MessageParam = {"role": "user", "content": [block]}
    content: Content = ["What is this?", Path("photo.png"), File(b"# Notes", name="notes.md")]
    options: SendOptions = {"max_tokens": 100, "stop_sequences": ["END"]}
    chat.send(block, **options)
    chat.send(message)
    chat.send(content, output_format=Order, tools=[])
    chat.submit({"toolu_1": "at nine", "toolu_2": ValueError("no such order")})
    chat.run("Where is order 4711?", tools=[order_status], max_steps=5, system="Be brief.")
    with chat.stream("Tell me everything.", bypass_memo=True) as stream:
        for text in stream:
            print(text.upper())


async def talk_later(client: object) -> str:
    async with AsyncConversation(
        "chats.db",
        client=client,
        memory="lean",
        strategy=Economic(),
        recall=Recall(tokens=500),
        summarise=Summarised(tokens=600),
        limits=Limits(requests=50),
        ceilings=[Ceiling(dollars=0.5, per="user")],
        breaker=True,
    ) as chat:
        reply = await chat.send("Hello.", inference_geo="us")
        async with chat.stream("And?") as stream:
            async for text in stream:
                print(text)
        return reply.text


def lay_out(sdk: Anthropic) -> Conversation:
    store = sash.open("chats.db")
    return Conversation(store, client=sdk, cache="1h", counter="tiktoken", busy="error", priority="background")
