"""sash itself, measured as the others are: here for its times only, its costs come from `sash.lab.compare`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import Body, Message, Peer, text_of
from sash import Conversation
from sash.simulator import Simulator


class Balanced(Peer):
    """A `Conversation` as it comes, on a SQLite file."""

    packages = ("anthropic",)
    setup = (
        "Conversation(file, budget=BUDGET), memory='balanced' as it comes, with embeddings where they are installed; "
        "append is all of chat.send but the answer"
    )
    caching = "its own markers"

    def open(self) -> None:
        self.simulator = Simulator(thinking=False)
        answer = self.simulator.handle

        def timed(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return answer(*given, **named)
            finally:
                self.elsewhere += time.process_time() - start

        self.simulator.handle = timed  # type: ignore[method-assign]
        self.chat = Conversation(
            Path(self.setting.folder) / "chats.db",
            id="conversation",
            system=self.setting.system or None,
            budget=self.setting.budget,
            client=self.simulator.client(),
            clock=self.simulator.clock.now,
        )
        self.said = ""

    def load(self, messages: Sequence[Message]) -> None:
        self.chat.extend({"role": one["role"], "content": text_of(one)} for one in messages)

    def request(self, message: Message) -> Body:
        self.said = text_of(message)
        self.simulator.clock.advance(60)
        body = dict(self.chat.plan(self.said).body)
        self._tally()
        return body

    def reply(self, message: Message) -> None:
        self.simulator.script([text_of(message)])
        self.chat.send(self.said)
        self._tally()

    def _tally(self) -> None:
        """What its estimator has read so far."""
        self.tokenised = self.chat._session.counter(self.chat._session.card).characters

    def close(self) -> None:
        self.chat.close()
