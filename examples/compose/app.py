"""A chat API that any number of processes serve: one record in PostgreSQL, one limit in Redis, a worker."""

from __future__ import annotations

import os
from typing import Annotated, Any

import uvicorn
from anthropic import AsyncAnthropic
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

from sash import AsyncConversation, simulator
from sash.claude.middleware import Limiter, Limits
from sash.errors import LimitReached
from sash.stores import RedisBook

DATABASE = os.environ["SASH_DATABASE"]
BOOK = RedisBook(os.environ["REDIS_URL"], alone=0.5)  # of two processes: while Redis is away each keeps to half
LIMITER = Limiter(Limits(requests=100, input_tokens=100_000), book=BOOK, max_wait=20)

app = FastAPI(title="One conversation, several processes")
claude = AsyncAnthropic() if "ANTHROPIC_API_KEY" in os.environ else simulator.async_client()


class Said(BaseModel):
    """What a client says; `token` is its own name for it."""

    text: str
    token: str


def conversation(user: str) -> AsyncConversation:
    """The user's conversation, in whichever process."""
    return AsyncConversation(
        DATABASE,
        id="main",
        namespace=user,
        user=user,
        client=claude,
        memory="full",
        budget=int(os.environ.get("BUDGET", "32000")),
        background="worker",  # summaries and vectors are made by `sash worker`
        limits=LIMITER,
    )


@app.post("/say")
async def say(said: Said, x_user: Annotated[str, Header()]) -> dict[str, Any]:
    """The reply, by this process; what two processes are told at once is answered in order."""
    async with conversation(x_user) as chat:
        try:
            reply = await chat.send(said.text, token=said.token)
        except LimitReached as error:
            raise HTTPException(429, "Too much at once; try again in a minute.") from error
    return {"text": reply.text, "cost": reply.cost, "by": os.getpid()}


@app.get("/turns")
async def turns(x_user: Annotated[str, Header()]) -> list[dict[str, Any]]:
    """What was said, by whichever process."""
    async with conversation(x_user) as chat:
        return [{"role": turn.role, "text": turn.text} for turn in await chat.history(limit=100)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8000")))
