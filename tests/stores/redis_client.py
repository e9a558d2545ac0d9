"""One of several processes that share a limit: begins when all are there, asks as fast as it is let."""

from __future__ import annotations

import time
from typing import Any

import anthropic

from sash.claude.middleware import Limiter, Limits
from sash.stores import RedisBook

SHARED = Limits(requests=600, input_tokens=40_000, output_tokens=20_000, burst=0.05)
SECONDS = 4.0


def ask_for_a_while(redis_url: str, base_url: str, together: Any, results: Any) -> None:
    """Ask for `SECONDS`; report how many replies came."""
    limiter, asked = Limiter(SHARED, book=RedisBook(redis_url)), 0
    with anthropic.Anthropic(base_url=base_url, api_key="k", middleware=[limiter], max_retries=0) as client:
        together.wait(120)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            said: Any = [{"role": "user", "content": "hello there " * 20}]
            client.messages.create(model="claude-sonnet-5-5", max_tokens=60, messages=said)
            asked += 1
    results.put(asked)
