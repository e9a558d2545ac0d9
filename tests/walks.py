"""A walk: any sequence of things a user of `Conversation` may do, over the simulator, with the laws checked after each.

A `Walk` holds a simulator, a real SQLite file and the conversation in hand. Its methods are the operations;
`check()` holds the laws of DESIGN: bodies rebuild byte for byte, views only grow between cuts, every request
is legal for planner and judge, the budget holds, and no recorded turn changes or disappears.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import held
from held import bare
from sash import Conversation, Recall, check_request
from sash.errors import BudgetExceeded, NothingToRetry, RemoteError
from sash.flows.branch import PastRequest
from sash.model.blocks import dumps
from sash.model.cards import card
from sash.model.epochs import Epoch
from sash.model.turns import by_exchange, spoken
from sash.simulator import CutStream, PromptTooLong, RateLimited, Refusal, Simulator, Stopped
from sash.simulator.core import Attempt

MODEL = "claude-sonnet-5-5"
MODELS = (MODEL, "claude-opus-4-6", "claude-sonnet-5", "claude-opus-4-5", "claude-fable-5-2")
"""Models that bind thinking, keep it, or keep the last turn's; with and without system turns."""
TOOL = {
    "name": "lookup",
    "description": "Look a word up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (400).to_bytes(4, "big") + (300).to_bytes(4, "big")
SHOWN: tuple[dict[str, Any], ...] = (
    {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
    },
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Crate 1138 holds lamps."}},
    {
        "type": "search_result",
        "source": "https://example.com",
        "title": "Lamps",
        "content": [{"type": "text", "text": "Seven lamps."}],
        "citations": {"enabled": True},
    },
)
"""What can be shown beside a question."""
WORDS = "the harbour ledger of 1138 crates, seven lamps and a patient clerk named Oda who counts them twice. "


def text_of(size: int, seed: int) -> str:
    """Prose of about `size` words that differs by seed."""
    return f"Note {seed}: " + " ".join((WORDS * (1 + size // 16)).split()[:size]) + f" What of {seed}?"


@cache
def thought_elsewhere() -> dict[str, Any]:
    """A thinking block that is genuine, and bound to another conversation."""
    with Simulator().client() as client:
        reply = client.messages.create(
            model=MODEL, max_tokens=1_000, messages=[{"role": "user", "content": "What of the lamps?"}]
        )
    block: dict[str, Any] = reply.content[0].to_dict()
    assert block["type"] == "thinking"
    return block


class Died(BaseException):
    """The process ended here."""


class Dying:
    """A store whose process dies when `at` is called: nothing is written from then on."""

    def __init__(self, store: Any, at: str) -> None:
        self.store, self.at, self.dead = store, at, False

    def __getattr__(self, name: str) -> Any:
        self.dead = self.dead or name == self.at
        if self.dead:
            raise Died(name)
        return getattr(self.store, name)


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
        self.model = MODEL
        self.tools: list[Any] | None = None
        self.pinned: dict[tuple[str, int], bool] = {}
        self.chat = self._open("first", system=system)

    def _open(self, id: str, **settings: Any) -> Conversation:
        return Conversation(
            self.path, id=id, model=self.model, strategy=self.strategy, budget=self.budget, keep=self.keep,
            max_tokens=4_000, client=self.client, clock=self.sim.clock.now, recall=self.recall,
            tools=self.tools, **settings,
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
            newest = self._newest_request(chat) if attempts else 0
            for index in range(len(attempts)):
                self.made[before + index] = (chat.id, newest - len(attempts) + 1 + index)

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
        if answer and (calls := self._open_calls()):
            self.answer_tools(calls)

    def answer_call(self, **options: Any) -> None:
        """The results of the newest reply's calls, where it has any; `system` changes meanwhile."""
        if calls := self._open_calls():
            self.answer_tools(calls, **options)

    def change_system_in_a_tool_run(self) -> None:
        """Another system prompt while a tool exchange is open: a cut is forced inside it."""
        self.answer_call(system=f"You are clerk {self.turns}. " + WORDS * 3)

    def _open_calls(self) -> list[str]:
        newest = self.chat.history(limit=1)
        if not newest or newest[-1].role != "assistant" or newest[-1].state != "answered":
            return []
        return [str(block["id"]) for block in newest[-1].blocks if block["type"] == "tool_use"]

    def answer_tools(self, calls: Sequence[str], size: int = 30, **options: Any) -> None:
        """The results of tool calls."""
        found = [{"type": "tool_result", "tool_use_id": call, "content": text_of(size, self.turns)} for call in calls]
        with self._talking():
            self.chat.send(found, **options)

    def call_tools(self, results: Sequence[bool] = (True, False), size: int = 25) -> None:
        """Calls at once; `submit` answers those that are True, and the others with an error."""
        call = {"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}
        self.sim.script([[{"type": "text", "text": "Let me look."}, *[call] * len(results)]])
        with self._talking():
            self.chat.send(text_of(10, self.turns), tools=[TOOL])
        self.sim.script([])
        if calls := self._open_calls():
            found = {
                id: text_of(size * at, self.turns)
                for at, (id, there) in enumerate(zip(calls, results, strict=False), 1)
                if there
            }
            with self._talking():
                self.chat.submit(found)

    def run_tools(self, steps: int = 4, size: int = 120, dies: int = 0) -> None:
        """A run of so many calls, two at once; at the call number `dies` the process ends."""
        made = iter(range(1, steps + 1))
        called = iter(range(1, 10 * steps))

        def reply(_: Any) -> Any:
            step = next(made, None)
            call = {"type": "tool_use", "name": "lookup", "input": {"word": f"w{step}"}}
            return [call] * (1 + step % 2) if step is not None else "All done."

        def lookup(word: str) -> str:
            """Look a word up."""
            if next(called) == dies:
                raise Died(word)
            return f"{word}: {text_of(size, self.turns)}"

        self.sim.script(reply)
        with self._talking(), contextlib.suppress(Died):
            self.chat.run(text_of(10, self.turns), tools=[lookup], max_steps=steps + 2)
        self.sim.script([])
        if dies:
            self.restart()

    def die(self, at: str = "finish_request", size: int = 20) -> None:
        """The process ends in the middle of a request, before the store is told."""
        store = self.chat._store
        self.chat._store = Dying(store, at)  # type: ignore[assignment]
        with self._talking(), contextlib.suppress(Died):
            self.chat.send(text_of(size, self.turns))
        self.chat._store = store
        self.restart()

    def show(self, kind: int = 0) -> None:
        """A question with a picture, a document or a search result, in front of its text."""
        with self._talking():
            self.chat.send([SHOWN[kind % len(SHOWN)], {"type": "text", "text": text_of(9, self.turns)}])

    def instruct(self, size: int = 9) -> None:
        """An instruction between turns."""
        self.chat.instruct(f"From now on: {text_of(size, self.turns)}")
        self.turns += 1

    def change_model(self, which: int = 1, mode: int = 0) -> None:
        """Another model from this send on, with one of its own ways to think."""
        self.model = MODELS[which % len(MODELS)]
        known = card(self.model).thinking_modes
        modes = [mode for mode in known if mode != "enabled" or "adaptive" not in known]  # the SDK warns of it there
        thinking: dict[str, Any] = {"type": modes[mode % len(modes)]}
        if thinking["type"] == "enabled":
            thinking["budget_tokens"] = 1_024
        with self._talking():
            self.chat.send(text_of(10, self.turns), model=self.model, thinking=thinking)
        self.model = self.chat.model

    def no_tools(self) -> None:
        """One send without tools: they stay in the prefix, with tool_choice none."""
        with self._talking():
            self.chat.send(text_of(8, self.turns), tools=[])

    def paused(self) -> None:
        """The server pauses a reply, and it is continued."""
        self.send_in_trouble(Stopped(tokens=5, reason="pause_turn"))

    def window_full(self) -> None:
        """A reply runs into the end of the window: one forced cut and one more request."""
        self.send_in_trouble(Stopped(tokens=5, reason="model_context_window_exceeded"))

    def hear_elsewhere(self, called: bool = False) -> None:
        """What was said elsewhere is recorded; `called`: up to a tool call that nobody answered."""
        call = {"type": "tool_use", "id": f"toolu_else{self.turns}", "name": "lookup", "input": {"word": "lamp"}}
        said = [thought_elsewhere(), {"type": "text", "text": text_of(12, self.turns)}, *([call] if called else [])]
        self.chat.extend(
            [{"role": "user", "content": text_of(9, self.turns)}, {"role": "assistant", "content": said}],
        )
        self.turns += 1
        if called:
            self.tools = [TOOL]  # whoever brings calls along brings the tools
            self.restart()
            self.send(9)

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
        turns = turns[next((at for at, turn in enumerate(turns) if turn.plain), len(turns)) :]
        if turns:
            turn = turns[where % len(turns)]
            self.chat.pin(turn, pinned=pinned)
            opening = next((t for t in reversed(turns) if t.plain and t.seq <= turn.seq), turns[0])
            self.pinned[self.chat.id, opening.id] = pinned

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
        if len(attempts) > self.checked:
            self.check_pins(*self.made[len(attempts) - 1])
        self.checked = len(attempts)
        self.check_record()

    def check_request(self, attempt: Attempt, id: str, number: int) -> None:
        """What one attempt has to hold."""
        past = self.past(id, number)
        assert past.intact, (id, number)
        assert same_bytes(attempt.body, past.body), (id, number)
        assert check_request(past.body, betas=past.request.sent.betas) == []
        assert not self.gone & {turn.id for turn in past.turns}, "a withdrawn turn was sent"
        held.form(past.body)
        held.newest_intact(past)
        held.thinking_one_run(past)
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
            if before.request.stop_reason == "refusal" or self.says_nothing(before.request.reply):
                continue
            mine, theirs = bare(before.body["messages"]), bare(past.body["messages"])
            if mine[-1]["role"] == "assistant":  # a paused tail, which may be given up
                mine.pop()
            assert theirs[: len(mine)] == mine, (id, earlier, past.number)
            assert bare(before.body.get("system")) == bare(past.body.get("system"))
            assert bare(before.body.get("tools")) == bare(past.body.get("tools"))

    def says_nothing(self, reply: int | None) -> bool:
        """Whether a reply leaves nothing to send back: a thought that was cut off. What it answered is still open."""
        blocks = [] if reply is None else json.loads(self.content_of(reply))
        return not any(block["type"] not in held.THOUGHTS and block.get("text") != "" for block in blocks)

    def content_of(self, turn: int) -> str:
        """The recorded content of a turn."""
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            return str(db.execute("SELECT content FROM turns WHERE id = ?", (turn,)).fetchone()[0])

    def check_pins(self, id: str, number: int) -> None:
        """At a cut, pinned exchanges stand whole in the view; within an epoch it only grows."""
        past = self.past(id, number)
        if id != self.chat.id or (number > 1 and same_view(self.past(id, number - 1).epoch, past.epoch)):
            return
        older = [
            turn for turn in self.chat.history() if turn.seq <= past.request.sent.last and turn.id not in self.gone
        ]
        exchanges = [group for group in by_exchange(spoken(older)) if self.pinned.get((id, group[0].id))]
        held.pins_stand(past, [group for group in exchanges if group[-1].seq < past.request.sent.last])

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
    if attempt.body.get("model") not in MODELS or attempt.body.get("compaction"):
        return True
    return "software that keeps this conversation" in dumps(attempt.body["messages"][-1])


def same_view(before: Epoch, now: Epoch) -> bool:
    """Whether no cut lies between them: it is the same epoch, or one in which only the API clears more."""
    return replace(now, id=before.id, relief=before.relief, reason=before.reason) == before


def same_bytes(sent: Any, rebuilt: Any) -> bool:
    """Whether every field of a body is the same JSON text (the order of top-level fields carries no meaning)."""
    sent = {name: value for name, value in sent.items() if name != "stream"}
    return set(sent) == set(rebuilt) and all(dumps(sent[name]) == dumps(rebuilt[name]) for name in sent)
