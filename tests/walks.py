"""A walk: any sequence of things a user of `Conversation` may do, over the simulator, with the laws checked after each.

A `Walk` holds a simulator, a real SQLite file and the conversation in hand. Its methods are the operations;
`check()` holds the laws of DESIGN: bodies rebuild byte for byte, views only grow between cuts, every request
is legal for planner and judge, the budget holds, and no recorded turn changes or disappears.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sash import Conversation, Recall, check_request
from sash.errors import BudgetExceeded, NothingToRetry, RemoteError
from sash.flows.branch import PastRequest
from sash.model.blocks import dumps
from sash.simulator import CutStream, PromptTooLong, RateLimited, Refusal, Simulator, Stopped
from sash.simulator.core import Attempt

MODEL = "claude-sonnet-5-5"
TOOL = {
    "name": "lookup",
    "description": "Look a word up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
WORDS = "the harbour ledger of 1138 crates, seven lamps and a patient clerk named Oda who counts them twice. "


def text_of(size: int, seed: int) -> str:
    """Prose of about `size` words that differs by seed."""
    return f"Note {seed}: " + " ".join((WORDS * (1 + size // 16)).split()[:size]) + f" What of {seed}?"


class Walk:
    """One user's afternoon. `strategy`, `budget` and `keep` are those of every conversation it opens."""

    def __init__(
        self,
        path: Path,
        strategy: Any,
        *,
        budget: int,
        keep: int,
        system: str | None = None,
        recall: Recall | None = None,
    ) -> None:
        self.path, self.strategy, self.budget, self.keep = path, strategy, budget, keep
        self.recall = recall
        self.sim = Simulator()
        self.client = self.sim.client(max_retries=0)
        self.made: dict[int, tuple[str, int]] = {}
        self.seen: dict[int, tuple[str, str, int]] = {}
        self.gone: set[int] = set()
        self.checked = 0
        self.turns = 0
        self.system = system
        self.chat = self._open("first", system=system)

    def _open(self, id: str, **settings: Any) -> Conversation:
        return Conversation(
            self.path, id=id, model=MODEL, strategy=self.strategy, budget=self.budget, keep=self.keep,
            max_tokens=4_000, client=self.client, clock=self.sim.clock.now, recall=self.recall, **settings,
        )  # fmt: skip

    def close(self) -> None:
        """Close the conversation in hand and the client."""
        self.chat.close()
        self.client.close()

    # ---- operations -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Remember which conversation's request each attempt was. Refusals of ours and scripted faults are fine."""
        chat, before = self.chat, len(self.messages)
        self.turns += 1
        try:
            with contextlib.suppress(BudgetExceeded, NothingToRetry, RemoteError):
                yield
        finally:
            chat.settle()
            attempts = self.messages[before:]
            assert len(attempts) <= 1, "one operation is one request"
            if attempts:
                self.made[before] = (chat.id, self._newest_request(chat))

    @property
    def messages(self) -> list[Attempt]:
        """The attempts of the conversation itself, without those that summaries and compactions took."""
        return [attempt for attempt in self.sim.messages if not summarises(attempt)]

    def _newest_request(self, chat: Conversation) -> int:
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            row = db.execute("SELECT requests FROM conversations WHERE name = ?", (chat.id,)).fetchone()
        db.close()
        return int(row[0])

    def send(self, size: int = 20) -> None:
        """A plain question."""
        with self._talking():
            self.chat.send(text_of(size, self.turns))

    def send_in_trouble(self, fault: Any, size: int = 20) -> None:
        """A question that meets a fault."""
        self.sim.fail_next(fault)
        with self._talking():
            self.chat.send(text_of(size, self.turns))
        self.sim.calm()

    def rate_limited(self) -> None:
        """429: the turn stays pending."""
        self.send_in_trouble(RateLimited())

    def rejected(self) -> None:
        """400: the turn is withdrawn."""
        self.send_in_trouble(PromptTooLong())

    def refused(self) -> None:
        """A refusal: the turn is withdrawn."""
        self.send_in_trouble(Refusal(partial="I will not"))

    def stopped(self) -> None:
        """max_tokens cuts the reply."""
        self.send_in_trouble(Stopped(tokens=7))

    def stream(self, size: int = 20) -> None:
        """A question whose reply streams to its end."""
        with self._talking(), self.chat.stream(text_of(size, self.turns)) as stream:
            stream.until_done()

    def stream_cut(self, events: int = 4, how: Any = "silent") -> None:
        """A stream that breaks after some events."""
        self.sim.fail_next(CutStream(events=events, how=how))
        with self._talking(), self.chat.stream(text_of(12, self.turns)) as stream:
            stream.until_done()
        self.sim.calm()

    def stream_left(self, events: int = 2) -> None:
        """A stream that the caller leaves after some events."""
        with self._talking(), self.chat.stream(text_of(12, self.turns)) as stream:
            for _, _event in zip(range(events), stream.events(), strict=False):
                pass

    def call_tool(self, answer: bool = True) -> None:
        """A reply that calls a tool (its id is the simulator's); with `answer`, its result is sent back."""
        call = {"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}
        self.sim.script([[{"type": "text", "text": "Let me look."}, call]])
        with self._talking():
            self.chat.send(text_of(10, self.turns), tools=[TOOL])
        self.sim.script([])
        if answer and (open_call := self._open_call()):
            self.answer_tool(open_call)

    def answer_call(self, **options: Any) -> None:
        """The result of the newest reply's call, where it has one; `system` changes meanwhile."""
        if open_call := self._open_call():
            self.answer_tool(open_call, **options)

    def change_system_in_a_tool_run(self) -> None:
        """Another system prompt while a tool exchange is open: a cut is forced inside it."""
        self.answer_call(system=f"You are clerk {self.turns}. " + WORDS * 3)

    def _open_call(self) -> str | None:
        newest = self.chat.history(limit=1)
        if not newest or newest[-1].role != "assistant" or newest[-1].state != "answered":
            return None
        return next((str(b["id"]) for b in newest[-1].blocks if b["type"] == "tool_use"), None)

    def answer_tool(self, call: str, size: int = 30, **options: Any) -> None:
        """The result of a tool call."""
        found = [{"type": "tool_result", "tool_use_id": call, "content": text_of(size, self.turns)}]
        with self._talking():
            self.chat.send(found, **options)

    def fork(self, where: int = 0) -> None:
        """Go on in a conversation of its own, from some reply or from the newest turn."""
        replies = [t for t in self.chat.history() if t.role == "assistant" and t.state != "withdrawn"]
        if not replies:
            return
        forked = self.chat.fork(replies[where % len(replies)], id=f"fork-{self.turns}")
        self.turns += 1
        self.chat.close()
        forked.close()
        self.chat = self._open(forked.id)

    def edit(self, where: int = 0) -> None:
        """Say something else in the place of a user turn."""
        plain = [t for t in self.chat.history() if t.plain]
        if plain:
            with self._talking():
                self.chat.edit(plain[where % len(plain)], text_of(9, self.turns))

    def regenerate(self) -> None:
        """Ask the newest question again."""
        with self._talking():
            self.chat.regenerate()

    def retry(self) -> None:
        """Send what is pending, or ask again."""
        with self._talking():
            self.chat.retry()

    def retry_refused(self) -> None:
        """What is pending is refused: nothing pending is left."""
        self.sim.fail_next(Refusal())
        with self._talking():
            self.chat.retry()
        self.sim.calm()
        assert not any(turn.state == "pending" for turn in self.chat.history())

    def retry_rejected(self) -> None:
        """What is pending is rejected: answered turns stay answered."""
        answered = {turn.id for turn in self.chat.history() if turn.state == "answered"}
        self.sim.fail_next(PromptTooLong())
        with self._talking():
            self.chat.retry()
        self.sim.calm()
        assert answered <= {turn.id for turn in self.chat.history() if turn.state == "answered"}

    def withdraw(self) -> None:
        """Take back what is pending."""
        self.chat.withdraw()

    def pin(self, where: int = 0, pinned: bool = True) -> None:
        """Pin or unpin some exchange."""
        turns = [turn for turn in self.chat.history() if turn.state != "withdrawn"]
        if turns:
            self.chat.pin(turns[where % len(turns)], pinned=pinned)

    def change_system(self) -> None:
        """Another system prompt, from this send on."""
        with self._talking():
            self.chat.send(text_of(8, self.turns), system=f"You are clerk {self.turns}. " + WORDS * 3)

    def restart(self) -> None:
        """Close everything and come back from disk."""
        self.chat.close()
        self.chat = self._open(self.chat.id)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.sim.clock.advance(seconds)

    def dry_run(self) -> None:
        """A plan changes nothing."""
        before = len(self.sim.log)
        with contextlib.suppress(BudgetExceeded):
            self.chat.plan("what would it be?")
        assert len(self.sim.log) == before

    # ---- laws -------------------------------------------------------------------------------------

    def check(self) -> None:
        """All laws, over what was not checked before."""
        attempts = self.messages
        for index in range(self.checked, len(attempts)):
            id, number = self.made[index]
            self.check_request(attempts[index], id, number)
        self.checked = len(attempts)
        self.check_record()

    def check_request(self, attempt: Attempt, id: str, number: int) -> None:
        """What one attempt has to hold."""
        past = self.past(id, number)
        assert past.intact, (id, number)
        assert same_bytes(attempt.body, past.body), (id, number)
        assert check_request(past.body, betas=past.request.sent.betas) == []
        assert not self.gone & {turn.id for turn in past.turns}, "a withdrawn turn was sent"
        assert attempt.fault is not None or attempt.status == 200, attempt.error
        if attempt.usage is not None and not getattr(self.strategy, "ignores_budget", False):
            # A bound holds at its coverage, not always: a small overrun is no broken law.
            assert attempt.usage.prompt <= 1.03 * self.budget + 16, (attempt.usage.prompt, past.request.expected)
        self.check_growth(id, past)
        self.check_attached(past)

    def check_attached(self, past: PastRequest) -> None:
        """What is recalled stays within its share, and stands in the view only once."""
        shown = [turn.attached for turn in past.turns if turn.attached and past.epoch.shows(turn)]
        quoted = [source.turn for one in shown for source in one.sources]
        assert len(quoted) == len(set(quoted)), "recalled twice"
        assert not set(quoted) & {turn.id for turn in past.turns}, "recalled what stands in the view"
        assert sum(one.tokens for one in shown) <= (self.recall.tokens if self.recall else 0)

    def check_growth(self, id: str, past: PastRequest) -> None:
        """Within an epoch, what was answered stands unchanged at the beginning."""
        on_line = {turn.id for turn in past.turns}
        for earlier in range(1, past.number):
            before = self.past(id, earlier)
            if before.epoch.id != past.epoch.id or before.request.usage is None or before.request.turn not in on_line:
                continue
            if before.request.stop_reason == "refusal":
                continue
            mine, theirs = bare(before.body["messages"]), bare(past.body["messages"])
            assert theirs[: len(mine)] == mine, (id, earlier, past.number)
            assert bare(before.body.get("system")) == bare(past.body.get("system"))
            assert bare(before.body.get("tools")) == bare(past.body.get("tools"))

    def past(self, id: str, number: int) -> PastRequest:
        """A request of any conversation of this walk."""
        if id == self.chat.id:
            return self.chat.request(number)
        with self._open(id) as other:
            return other.request(number)

    def check_record(self) -> None:
        """No recorded turn changes its content or disappears, and the database is sound."""
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        rows = {row[0]: row[1:] for row in db.execute("SELECT id, role, content, seq FROM turns")}
        self.gone = {row[0] for row in db.execute("SELECT id FROM turns WHERE state = 'withdrawn'")}
        sound = db.execute("PRAGMA foreign_key_check").fetchall()
        db.close()
        assert sound == []
        assert {key: rows.get(key) for key in self.seen} == self.seen
        self.seen = rows


def summarises(attempt: Attempt) -> bool:
    """Whether an attempt asked for a summary: of another model, of the chat's own on a side branch, of the API."""
    if attempt.body.get("model") != MODEL or attempt.body.get("compaction"):
        return True
    return "software that keeps this conversation" in dumps(attempt.body["messages"][-1])


def same_bytes(sent: Any, rebuilt: Any) -> bool:
    """Whether every field of a body is the same JSON text (the order of top-level fields carries no meaning)."""
    sent = {name: value for name, value in sent.items() if name != "stream"}
    return set(sent) == set(rebuilt) and all(dumps(sent[name]) == dumps(rebuilt[name]) for name in sent)


def bare(value: Any) -> Any:
    """Without cache markers, wherever they stand."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "cache_control"}
    return [bare(item) for item in value] if isinstance(value, list) else value
