"""A conversation that outgrows its budget on the simulator, with summaries: for the tests of several modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sash import Conversation, Summarised
from sash.model.replies import Reply
from sash.simulator import Simulator
from sash.simulator.calls import Attempt

BY = "claude-haiku-5-5"
MODEL = "claude-sonnet-5-5"


class Talker:
    """One user who talks about orders; every message differs and holds numbers and names."""

    def __init__(self, path: Path | str | None = None, strategy: Any = None, **settings: Any) -> None:
        self.sim = Simulator()
        self.client = self.sim.client(max_retries=0)
        self.settings = {
            "id": "a", "model": MODEL, "budget": 3_000, "keep": 600, "max_tokens": 4_000, "counter": "features",
            "strategy": strategy or Summarised(tokens=500), "clock": self.sim.clock.now, "client": self.client,
            **settings,
        }  # fmt: skip
        self.path = path
        self.chat = Conversation(path, **self.settings)
        self.said = 0

    def close(self) -> None:
        """Close conversation and client."""
        self.chat.close()
        self.client.close()

    def say(self, pause: float = 30.0, wait: bool = True, words: str = "", **options: Any) -> Reply:
        """One more message, `pause` seconds after the last; background work is waited for."""
        self.sim.clock.advance(pause)
        self.said += 1
        text = words or f"Order {1000 + self.said} of {self.said} lamps never came to Harbour Street {self.said}."
        reply: Reply = self.chat.send(f"{text} " + "Please be exact about all of it. " * 6, **options)
        if wait:
            self.chat.wait_for_background()
        return reply

    def until_cut(self, most: int = 80, **more: Any) -> Reply:
        """Talk until a cut falls; the reply of the request that cut."""
        for _ in range(most):
            reply = self.say(**more)
            if reply.plan.cut and reply.number > 1:
                return reply
        raise AssertionError(f"no cut in {most} messages")

    def makings(self) -> list[Attempt]:
        """The requests that asked another model for a summary."""
        return [attempt for attempt in self.sim.messages if attempt.body.get("model") == BY]
