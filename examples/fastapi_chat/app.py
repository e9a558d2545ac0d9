"""A chatbot for the web: replies stream, each user has a conversation, two tabs stay in step, nobody overspends.

python examples/fastapi_chat/app.py  # http://127.0.0.1:8000, on the simulator or with ANTHROPIC_API_KEY
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from anthropic import AsyncAnthropic
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from sash import AsyncConversation, SashError, simulator
from sash.errors import CeilingReached
from sash.limits import Ceiling

DATABASE = os.environ.get("SASH_DATABASE", "chats.db")  # a file, or postgresql://... for several machines
A_DAY = Ceiling(dollars=float(os.environ.get("DOLLARS_A_DAY", "0.05")), per="user", period="day")
PAGE = Path(__file__).with_name("page.html")

app = FastAPI(title="A chatbot with a memory")
claude = AsyncAnthropic() if "ANTHROPIC_API_KEY" in os.environ else simulator.async_client()


class Said(BaseModel):
    """What a tab sends."""

    text: str
    token: Annotated[str, Field(min_length=1, max_length=255)]
    """made by the tab for each message: what is sent twice is answered once"""


def signed_in(x_user: Annotated[str, Header()]) -> str:
    """Who asks. Put your own login here."""
    if not x_user.isalnum():
        raise HTTPException(401, "who are you?")
    return x_user


def conversation(user: str) -> AsyncConversation:
    """The user's conversation. Opening one is cheap: it needs no cache of open objects, and works in any process."""
    return AsyncConversation(
        DATABASE,
        id=f"{user}-main",
        user=user,
        client=claude,
        system="You are the help desk of a small bakery.",
        max_tokens=1_000,  # what a ceiling must book before it lets a question pass
        ceilings=A_DAY,
    )


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(PAGE)


@app.get("/turns")
async def turns(user: Annotated[str, Depends(signed_in)], after: int = 0) -> list[dict[str, Any]]:
    """What was said after a turn, by whichever tab: each tab asks every second."""
    async with conversation(user) as chat:
        found = await chat.history(after=after)
    return [{"seq": turn.seq, "role": turn.role, "text": turn.text} for turn in found]


@app.post("/say")
async def say(said: Said, user: Annotated[str, Depends(signed_in)]) -> StreamingResponse:
    """The reply, as server-sent events. If the tab is closed in the middle, what had come is recorded."""
    return StreamingResponse(events(said, user), media_type="text/event-stream")


async def events(said: Said, user: str) -> AsyncIterator[str]:
    async with conversation(user) as chat:
        try:
            async with chat.stream(said.text, token=said.token, metadata={"user_id": user}) as stream:
                async for text in stream:
                    yield event(text=text)
            used = await chat.usage()
            yield event(done=True, cost=stream.reply.cost, spent=used.dollars)
        except CeilingReached:
            yield event(error=f"That is enough for today: ${A_DAY.dollars} are spent. Come back tomorrow.")
        except SashError as error:  # the question is recorded: retry() would send it again
            yield event(error=f"Claude cannot answer just now ({type(error).__name__}).")


def event(**data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
