"""A bot behind a webhook, as Slack calls it: signed events, sent again when the answer is late; long tool runs.

python examples/webhook_bot/bot.py --demo     # a day in the channel, on the simulator; without --demo: a server
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from anthropic import AsyncAnthropic
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import sash
from sash import AsyncConversation, simulator
from sash.errors import NothingToRetry, SashError

DATABASE = os.environ.get("SASH_DATABASE", "slack.db")
SECRET = os.environ.get("SLACK_SIGNING_SECRET", "demo")
TOKEN = os.environ.get("SLACK_BOT_TOKEN", "")  # without one, what the bot says is printed
claude = AsyncAnthropic() if "ANTHROPIC_API_KEY" in os.environ else simulator.async_client()
ASKED = "Please use stock_report for shop 3."
working: set[asyncio.Task[None]] = set()


async def stock_report(shop: int) -> str:
    """Count what a shop has in stock. Takes a while.

    Args:
        shop: its number
    """
    await asyncio.sleep(float(os.environ.get("STOCK_SECONDS", "2")))
    return f"Shop {shop} has {shop * 17} walnut cakes."


def conversation(thread: str) -> AsyncConversation:
    """One for each thread of a channel."""
    system = "You are the bot of a bakery's channel. Answer in one sentence."
    return AsyncConversation(DATABASE, id=thread, namespace="slack", client=claude, system=system, tools=[stock_report])


async def events(request: Request) -> Response:
    """What Slack posts. It wants an answer within three seconds, or sends the event again."""
    body = await request.body()
    if not signed(body, request.headers):
        return Response(status_code=401)
    told = json.loads(body)
    if told["type"] == "url_verification":
        return JSONResponse({"challenge": told["challenge"]})
    event = told["event"]
    if event["type"] == "app_mention" and "bot_id" not in event:
        begin(answer(f"{event['channel']} {event.get('thread_ts', event['ts'])}", event["text"], told["event_id"]))
    return Response()


def signed(body: bytes, headers: Any) -> bool:
    """Whether it is Slack who calls, and now."""
    sent_at = headers.get("x-slack-request-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    return hmac.compare_digest(signature(body, sent_at), headers.get("x-slack-signature", ""))


def signature(body: bytes, sent_at: str) -> str:
    base = b":".join((b"v0", sent_at.encode(), body))
    return "v0=" + hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()


def begin(work: Any) -> None:
    """Let it run behind the response."""
    task = asyncio.create_task(work)
    working.add(task)
    task.add_done_callback(working.discard)


async def answer(thread: str, text: str, event_id: str) -> None:
    """Run until there is an answer, and post it. The event's id is the token: what comes again is run once."""

    async def progress(event: Any) -> None:
        if event.type == "tool_result":
            await post(thread, f"_{event.call['name']} is done_")

    async with conversation(thread) as chat:
        try:
            reply = await chat.run(text, token=event_id, on_event=progress)
        except SashError as error:
            await post(thread, sorry(error))
            return
    if reply.plan is not None:  # None: the reply to an event that was answered before
        await post(thread, reply.text)


def sorry(error: SashError) -> str:
    return f"I cannot answer just now ({type(error).__name__})."


async def go_on() -> None:
    """Finish what a process that died had begun: Slack had its response, and will not send it again."""
    with sash.open(DATABASE) as store:
        threads = [info.id for info in store.conversations(namespace="slack", limit=100)]
    for thread in threads:
        async with conversation(thread) as chat:
            try:
                reply = await chat.run()
            except NothingToRetry:
                continue
            except SashError as error:  # of this thread: the next start tries it again
                await post(thread, sorry(error))
                continue
        await post(thread, reply.text)


async def post(thread: str, text: str) -> None:
    """Say something in a thread."""
    channel, ts = thread.split()
    if not TOKEN:
        print(f"{channel}: {text}", flush=True)
        return
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        message = {"channel": channel, "thread_ts": ts, "text": text}
        (await client.post("https://slack.com/api/chat.postMessage", json=message)).raise_for_status()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    begin(go_on())
    yield
    await asyncio.gather(*working)  # a server that is told to stop finishes what it has begun


app = Starlette(routes=[Route("/slack/events", events, methods=["POST"])], lifespan=lifespan)


def demo() -> None:
    """What Slack would send: a question, the same once more, and behind the answer another one in its thread."""
    for told in ([("1", ASKED), ("1", ASKED)], [("2", "How many cakes was that?")]):
        with TestClient(app) as slack:  # it ends when all is answered
            for event_id, text in told:
                event = {"type": "app_mention", "channel": "C7", "ts": "1.0", "thread_ts": "1.0", "text": text}
                answered = send(slack, type="event_callback", event_id=event_id, event=event)
                print(f"Slack, event {event_id}: {text} -> {answered.status_code}")


def send(slack: TestClient, **told: Any) -> httpx2.Response:
    """Post as Slack does."""
    body, now = json.dumps(told).encode(), str(int(time.time()))
    headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature(body, now)}
    return slack.post("/slack/events", content=body, headers=headers)


if __name__ == "__main__":
    if "--demo" in sys.argv:
        demo()
    else:
        uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
