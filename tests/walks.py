"""A walk: any sequence of things a user of `Conversation` may do, over the simulator, with the laws checked after each.

A `Walk` holds a simulator, a real SQLite file (or a PostgreSQL database) and the conversation in hand. Its methods are
the operations; `check()` holds the laws of DESIGN: bodies rebuild byte for byte, views only grow between cuts, every
request is legal for planner and judge, the budget holds, and no recorded turn changes or disappears.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import held
import servers
from held import bare
from sash import Conversation, SqliteStore, check_request
from sash.claude.keys import Key
from sash.errors import BudgetExceeded, InvalidOption, NotFound, NothingToRetry, RemoteError
from sash.flows.history.branch import PastRequest
from sash.model.blocks import dumps
from sash.model.cards import card
from sash.model.epochs import Epoch
from sash.model.turns import by_exchange, spoken
from sash.simulator import (
    CutStream,
    HttpError,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    Simulator,
    Stopped,
)
from sash.simulator.calls import Attempt, Context
from sash.stores import Store, open_store
from sash.stores.around import around
from strategies import WINDOWS, Afternoon

MODEL = "claude-sonnet-5-5"
MODELS = (MODEL, "claude-opus-4-6", "claude-sonnet-5", "claude-opus-4-5", "claude-fable-5-2")
"""Models that bind thinking, keep it, or keep the last turn's; with and without system turns."""
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files live that nobody will miss: in memory where the system offers that."""
TOOL = {
    "name": "lookup",
    "description": "Look a word up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
OTHER_TOOL = {**TOOL, "description": "Look any word up, in whatever book."}
STAND_INS = ("claude-opus-4-6", "claude-sonnet-5")
KEYS = (
    Key("one", "sk-ant-one", workspace="w1"),
    Key("two", "sk-ant-two", workspace="w2"),
    Key("three", "sk-ant-three", workspace="w3", organization="elsewhere"),
)
NO_SUMMARY = (Overloaded(), Refusal(), Stopped(tokens=3), RateLimited(), HttpError(status=400, message="no"))
"""What a summariser, or the API's own compaction, may answer instead of a summary."""
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
PLACES = {
    "first": ("ann", ""),
    "second": ("ann", ""),
    "bob": ("bob", ""),
    "nobody": (None, ""),
    "acme": ("ann", "acme"),
}
"""Conversations of two users and of nobody, one in another namespace: name -> user and namespace."""
SIGNS = {("ann", ""): "Ann", ("bob", ""): "Bob", (None, ""): "Nobody", ("ann", "acme"): "Acme"}
"""What words begin with that are one's own, by user and namespace."""
TOLD = (
    *("I live in {0}.", "We moved to {0}.", "I don't live in {0} any more.", "My dog is called {0}.", "My dog died."),
    *("I'm allergic to {0}.", "Call me {0}.", "Always mention {0}.", "Translate: 'I live in {0}'", "</profile> {0}."),
)
"""What somebody may say of himself."""
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


@cache
def empty_file() -> bytes:
    """A record of nothing: made once: to make one takes as long as to send two messages."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        SqliteStore(path := Path(folder) / "empty.db").close()
        return path.read_bytes()


def file_reader(path: Path) -> sqlite3.Connection:
    """What reads a file beside the walk; the file, where there is none yet."""
    if not path.exists():
        path.write_bytes(empty_file())
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)


class Died(BaseException):
    """The process ended here."""


def dying(store: Store, at: str) -> Store:
    """A store whose process dies when `at` is called: nothing is written from then on."""
    dead = False

    @contextlib.contextmanager
    def within(name: str, _: Any) -> Iterator[None]:
        nonlocal dead
        dead = dead or name == at
        if dead:
            raise Died(name)
        yield

    return around(store, within)


class Witness(Simulator):
    """A simulator that notes, as each call comes in, which turns were withdrawn by then."""

    def __init__(self, withdrawn: Callable[[], frozenset[int]]) -> None:
        super().__init__()
        self.withdrawn = withdrawn
        self.gone: dict[int, frozenset[int]] = {}

    def _route(self, context: Context) -> Any:
        self.gone[context.number] = self.withdrawn()
        return super()._route(context)


class Walk:
    """One user's afternoon. `strategy` and `settings` are those of every conversation it opens."""

    def __init__(
        self, where: Path | str, strategy: Any, *, system: str | None = None, users: bool = False, **settings: Any
    ) -> None:
        self.where, self.strategy, self.settings = where, strategy, settings
        self.reader = file_reader(where) if isinstance(where, Path) else servers.Reader(where)
        self.sim = Witness(self._withdrawn)
        self.client = self.sim.client(max_retries=0)
        self.made: dict[int, tuple[str, int]] = {}
        self.known: dict[tuple[str, int], PastRequest] = {}
        self.seen: dict[int, tuple[str, str, int]] = {}
        self.forgotten: dict[int, int] = {}
        self.checked = 0
        self.turns = 0
        self.model = MODEL
        self.tools: list[Any] | None = None
        self.pinned: dict[tuple[str, int], bool] = {}
        self.users = users
        self.owners = dict(PLACES)
        self.own_words: set[str] = set()
        self.deleted: set[int] = set()
        self.chat = self._open("first", system=system)

    def _open(self, id: str, **settings: Any) -> Conversation:
        if self.users:
            user, namespace = self.owners[id]
            recall = self.settings["recall"] and replace(
                self.settings["recall"], scope="user" if user else "conversation"
            )
            settings |= {"user": user, "namespace": namespace, "memory": "full", "recall": recall}
        return Conversation(
            self.where, id=id, model=self.model, strategy=self.strategy, max_tokens=4_000, client=self.client,
            clock=self.sim.clock.now, tools=self.tools, **{**self.settings, **settings},
        )  # fmt: skip

    def close(self) -> None:
        """Close the conversation in hand, the client and the file."""
        self.reader.close()
        self.chat.close()
        self.client.close()

    # ---- operations -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _talking(self, chat: Conversation | None = None) -> Iterator[None]:
        """Remember which conversation's request each attempt was. Refusals of ours and scripted faults are fine."""
        chat = chat or self.chat
        before, known = len(self.messages), self._requests(chat)
        self.turns += 1
        try:
            with contextlib.suppress(BudgetExceeded, NothingToRetry, RemoteError):
                yield
        finally:
            with contextlib.suppress(Died):  # where the process ends, what it does in the background ends, too
                chat.wait_for_background()
            attempts = range(before, len(self.messages))
            sent = [number for number in self._requests(chat) if number not in known]
            assert len(sent) == len(attempts), "a request is an attempt, or was answered from memory"
            self.made |= dict(zip(attempts, ((chat.id, number) for number in sent), strict=True))

    @property
    def messages(self) -> list[Attempt]:
        """The attempts of the conversation itself, without those that summaries and compactions took."""
        return [attempt for attempt in self.sim.messages if not summarises(attempt)]

    def _requests(self, chat: Conversation) -> list[int]:
        """The numbers of a conversation's requests, in order, but for those that were answered from memory."""
        return [
            row[0]
            for row in self._read(
                "SELECT r.number FROM requests r JOIN conversations c ON c.id = r.conversation_id WHERE c.name = ? "
                "AND coalesce(r.extra, '') NOT LIKE '%sash_memo%' ORDER BY r.number",
                chat.id,
            )
        ]

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What stands in the file."""
        return self.reader.execute(query, values).fetchall()

    def _withdrawn(self) -> frozenset[int]:
        """ids of the turns that are withdrawn now."""
        return frozenset(row[0] for row in self._read("SELECT id FROM turns WHERE state = 'withdrawn'"))

    def send(self, size: int = 20) -> None:
        """A plain question."""
        with self._talking():
            self.chat.send(text_of(size, self.turns))

    def ask_to_hold(self, number: int) -> None:
        """An instruction for the rest of the conversation."""
        with self._talking():
            self.chat.send(
                ("Always answer in French.", "Never answer in French.", f"Call me Ann the {number}.")[number % 3]
            )

    def send_in_trouble(self, fault: Any, size: int = 20) -> None:
        """A question that meets a fault."""
        self.sim.fail_next(fault)
        with self._talking():
            self.chat.send(text_of(size, self.turns))
        self.sim.calm()

    def rate_limited(self) -> None:
        """429: the turn stays pending."""
        self.send_in_trouble(RateLimited())

    def overloaded(self) -> None:
        """529: another model stands in where there is one; else the turn stays pending."""
        self.send_in_trouble(Overloaded())

    def key_refused(self) -> None:
        """401: another key is taken where there is one; else the turn stays pending."""
        self.send_in_trouble(HttpError(status=401, message="invalid x-api-key"))

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

    def calls_overloaded(self, results: Sequence[bool] = (True,)) -> None:
        """Calls at once, whose results meet a 529: they stay pending."""
        call = {"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}
        self.sim.script([[{"type": "text", "text": "Let me look."}, *[call] * len(results)]])
        with self._talking():
            self.chat.send(text_of(10, self.turns), tools=[TOOL])
        self.sim.script([])
        if calls := self._open_calls():
            self.sim.fail_next(Overloaded())
            with self._talking():
                self.chat.submit(
                    {id: text_of(9, self.turns) for id, there in zip(calls, results, strict=False) if there}
                )
            self.sim.calm()

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

    def die(self, at: str = "requests.finish", size: int = 20) -> None:
        """The process ends in the middle of a request, before the store is told."""
        store = self.chat._store
        self.chat._store = dying(store, at)
        with self._talking(), contextlib.suppress(Died):
            self.chat.send(text_of(size, self.turns))
        self.chat._store = store
        self.restart()

    def die_and_change(self, at: str = "requests.finish", system: bool = True, tools: bool = True) -> None:
        """The process ends in the middle of a request, and comes back with another system prompt or other tools."""
        store = self.chat._store
        self.chat._store = dying(store, at)
        with self._talking(), contextlib.suppress(Died):
            self.chat.send(text_of(9, self.turns))
        self.chat._store = store
        self.tools = [OTHER_TOOL] if tools else self.tools
        self.restart(**({"system": f"You are clerk {self.turns}. " + WORDS * 2} if system else {}))

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
        try:
            forked = self.chat.fork(replies[where % len(replies)], id=f"fork-{self.turns}")
        except InvalidOption as refused:
            assert "waits for the server" in str(refused)
            return
        self.turns += 1
        self.owners[forked.id] = self.owners[self.chat.id]
        self.pinned |= {(forked.id, turn): there for (id, turn), there in self.pinned.items() if id == self.chat.id}
        self.chat.close()
        forked.close()
        self.chat = self._open(forked.id)

    def edit(self, where: int = 0) -> None:
        """Say something else in the place of a user turn."""
        plain = [t for t in self.chat.history() if t.plain]
        if plain:
            with self._talking():
                self.chat.edit(plain[where % len(plain)], text_of(9, self.turns))

    def say_again(self, where: int = 0) -> None:
        """Say the same again in the place of a user turn: a memo may answer."""
        plain = [t for t in self.chat.history() if t.plain]
        if plain:
            turn = plain[where % len(plain)]
            with self._talking():
                self.chat.edit(turn, turn.blocks)

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

    def redact(self, where: int = 0) -> None:
        """Have the words of some turn forgotten, with all that repeats them."""
        turns = self.chat.history()
        if turns:
            self.chat.redact(turns[where % len(turns)])
            newest = self._read("SELECT coalesce(max(id), 0) FROM epochs")[0][0]
            for (listed,) in self._read("SELECT turns FROM forgotten"):
                for turn in json.loads(listed):
                    self.forgotten.setdefault(turn, newest)

    def another_sends(self, size: int = 20) -> None:
        """Another object on the same conversation says something; the one in hand stays open."""
        with self._open(self.chat.id) as other, self._talking(other):
            other.send(text_of(size, self.turns))

    def no_summary(self, which: int = 0, size: int = 400) -> None:
        """A question while every summary, or compaction by the API, fails."""
        self.sim.fail_next(NO_SUMMARY[which % len(NO_SUMMARY)], times=99, when=asks_for_summary)
        with self._talking():
            self.chat.send(text_of(size, self.turns))
        self.sim.calm()

    def turn_to(self, where: int = 0) -> None:
        """Another conversation, of the same user or of another."""
        self.chat.close()
        self.chat = self._open(list(PLACES)[where % len(PLACES)])

    def tell(self, which: int = 0) -> None:
        """Something that somebody says of himself."""
        with self._talking():
            self.chat.send(f"{TOLD[which % len(TOLD)].format(self._own_word())} " + WORDS)

    def ask_about_me(self) -> None:
        """A question that what was told elsewhere answers."""
        with self._talking():
            self.chat.send("Where do I live, and what is my dog called?")

    def set_in_profile(self, which: int = 0) -> None:
        """Something kept by hand."""
        if self.chat.user:
            self.chat.profile.set(TOLD[which % len(TOLD)].format(self._own_word()))

    def remove_from_profile(self, where: int = 0) -> None:
        """An entry ended by hand."""
        if self.chat.user and (entries := self.chat.profile.entries()):
            self.chat.profile.remove(entries[where % len(entries)])

    def delete(self, where: int = 0) -> None:
        """A conversation deleted for good."""
        named = self._read("SELECT name, namespace FROM conversations ORDER BY id")
        if named:
            name, namespace = named[where % len(named)]
            self._forget({name}, lambda store: store.delete(name, namespace=namespace))

    def forget_user(self, other: bool = False) -> None:
        """A user forgotten for good."""
        user = "bob" if other else "ann"
        named = {
            row[0] for row in self._read("SELECT name FROM conversations WHERE owner = ? AND namespace = ''", user)
        }
        with contextlib.suppress(NotFound):
            self._forget(named, lambda store: store.forget_user(user))

    def _forget(self, names: set[str], forget: Callable[[Store], object]) -> None:
        """Have these conversations go; nothing else goes with them."""
        turns = "SELECT t.id FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE c.name = ?"
        theirs = {row[0] for name in names for row in self._read(turns, name)}
        before = {row[0] for row in self._read("SELECT id FROM turns")}
        self.chat.close()
        try:
            with contextlib.closing(open_store(self.where)) as store:
                forget(store)
        finally:
            gone = before - {row[0] for row in self._read("SELECT id FROM turns")}
            assert gone <= theirs
            self.deleted |= gone
            for key in gone:
                self.seen.pop(key, None)
                self.forgotten.pop(key, None)
            self.known = {key: past for key, past in self.known.items() if key[0] not in names}
            self.pinned = {key: there for key, there in self.pinned.items() if key[0] not in names}
            self.chat = self._open(self.chat.id)

    def _own_word(self) -> str:
        """A word that nobody else has said."""
        word = f"{SIGNS[self.owners[self.chat.id]]}opolis{self.turns}x"
        self.turns += 1
        self.own_words.add(word)
        return word

    def restart(self, **settings: Any) -> None:
        """Close everything and come back from disk."""
        self.chat.close()
        self.chat = self._open(self.chat.id, **settings)

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
            self.check_pins(attempts[-1], *self.made[len(attempts) - 1])
        if self.users:
            self.check_walls(attempts[self.checked :])
        self.checked = len(attempts)
        self.check_record()

    def check_walls(self, attempts: Sequence[Attempt]) -> None:
        """Nobody is told another's words, and words that were forgotten stand nowhere: not sent, not in the file."""
        live = " ".join(
            str(text)
            for (text,) in self._read(
                "SELECT content FROM turns UNION ALL SELECT text FROM profile_entries WHERE made_by = 'hand'"
            )
        )
        gone = {word for word in self.own_words if word not in live}
        for index, attempt in enumerate(attempts, self.checked):
            told = dumps(attempt.body)
            mine = SIGNS[self.owners[self.made[index][0]]]
            assert not [word for word in self.own_words if word in told and not word.startswith(mine)], (
                "another's words"
            )
            assert not [word for word in gone if word in told], "forgotten words"
        if gone and isinstance(self.where, Path):
            kept = b"".join(path.read_bytes() for path in self.where.parent.iterdir()).lower()
            assert not [word for word in gone if word.lower().encode() in kept], "forgotten words in the file"

    def check_request(self, attempt: Attempt, id: str, number: int) -> None:
        """What one attempt has to hold."""
        past = self.past(id, number)
        assert past.intact, (id, number)
        assert same_bytes(attempt.body, past.body), (id, number)
        assert check_request(past.body, betas=past.request.sent.betas) == []
        assert not self.sim.gone[attempt.number] & {turn.id for turn in past.turns}, "a withdrawn turn was sent"
        held.form(past.body)
        held.newest_intact(past)
        held.thinking_one_run(past)
        assert attempt.fault is not None or attempt.status == 200, attempt.error
        if attempt.usage is not None and not getattr(self.strategy, "ignores_budget", False):
            # A bound holds at its coverage, not always: a small overrun is no broken law.
            most = 1.03 * self.settings["budget"] + 16
            assert attempt.usage.prompt <= most, (attempt.usage.prompt, past.request.expected)
        self.check_growth(id, past)
        self.check_attached(past)
        self.check_forgotten(past)
        self.known[id, number] = past

    def check_attached(self, past: PastRequest) -> None:
        """What is recalled for a question stays within its share, and stands in the view only once."""
        shown = [turn.attachment for turn in past.turns if turn.attachment and past.epoch.shows(turn)]
        quoted = [source.turn for one in shown for source in one.sources if not source.instructs]
        assert len(quoted) == len(set(quoted)), "recalled twice"
        assert not set(quoted) & {turn.id for turn in past.turns}, "recalled what stands in the view"
        recall = self.settings.get("recall")
        most = (recall.tokens if recall else 0) + (1 + self.users) * instructions_share(self.settings["budget"])
        assert all(one.tokens <= most for one in shown)

    def check_forgotten(self, past: PastRequest) -> None:
        """Of a redacted turn, only its place is sent, and in no epoch that began before."""
        for turn in past.turns:
            if turn.id in self.forgotten:
                assert past.epoch.id > self.forgotten[turn.id], "an epoch outlived what was redacted in it"
        live = " ".join(content for _, content in self._read("SELECT id, content FROM turns"))
        for forgotten in self.forgotten:
            held.not_said(past, self.seen[forgotten][1], live)

    def check_growth(self, id: str, past: PastRequest) -> None:
        """Within an epoch, what was answered stands unchanged at the beginning."""
        on_line = {turn.id for turn in past.turns}
        for earlier in range(1, past.number):
            before = self.known.get((id, earlier))
            if before is None:  # it was answered from memory
                continue
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
        return str(self._read("SELECT content FROM turns WHERE id = ?", turn)[0][0])

    def check_pins(self, attempt: Attempt, id: str, number: int) -> None:
        """At a cut, pinned exchanges stand whole in the view, but for what was withdrawn by then."""
        past = self.past(id, number)
        if id != self.chat.id or (number > 1 and same_view(self.past(id, number - 1).epoch, past.epoch)):
            return
        last, gone = past.request.sent.last, self.sim.gone[attempt.number]
        older = [turn for turn in self.chat.history() if turn.seq <= last and turn.id not in gone]
        exchanges = [group for group in by_exchange(spoken(older)) if self.pinned.get((id, group[0].id))]
        held.pins_stand(past, [group for group in exchanges if group[-1].seq < last])

    def past(self, id: str, number: int) -> PastRequest:
        """A request of any conversation of this walk."""
        if id == self.chat.id:
            return self.chat.request(number)
        with self._open(id) as other:
            return other.request(number)

    def check_record(self) -> None:
        """No recorded turn changes its content or disappears, but for redacted ones; and the database is sound."""
        rows = {row[0]: row[1:] for row in self._read("SELECT id, role, content, seq FROM turns")}
        assert isinstance(self.where, str) or self._read("PRAGMA foreign_key_check") == []
        assert {key: rows.get(key) for key in self.seen if key not in self.forgotten} == {
            key: row for key, row in self.seen.items() if key not in self.forgotten
        }
        assert all(rows[key][::2] == self.seen.get(key, rows[key])[::2] for key in self.forgotten)
        assert all(held.is_gap(rows[key][1]) for key in self.forgotten)
        self.seen = rows | {key: self.seen.get(key, rows[key]) for key in self.forgotten}

    def check_rebuilt(self) -> None:
        """Every past body still rebuilds, however much was done since; those that held redacted words have a gap."""
        for (id, number), before in self.known.items():
            if not (self.forgotten.keys() | self.deleted) & self.held_in(before):
                assert self.past(id, number).body == before.body, (id, number)

    def held_in(self, past: PastRequest) -> set[int]:
        """ids of the turns whose words a request held: as turns, quoted, or in a summary of whatever came before."""
        quoted = {source.turn for turn in past.turns if turn.attachment for source in turn.attachment.sources}
        covered = self.forgotten.keys() | self.deleted if past.epoch.summary else set()
        return {turn.id for turn in past.turns} | quoted | covered


def instructions_share(budget: int) -> int:
    """Tokens that the user's standing instructions may take."""
    return max(budget // 32, min(200, budget // 8))


def take(afternoon: Afternoon, url: str | None = None) -> None:
    """Take a walk over a new file, or over the database at `url`, checking all laws after each step."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        budget = afternoon.budget
        walk = Walk(
            url or Path(folder) / "walk.db",
            WINDOWS[afternoon.window],
            budget=budget,
            keep=budget // 4,
            system=afternoon.system,
            users=afternoon.users,
            recall=afternoon.recall or False,
            memo=afternoon.memo or None,
            fallback=STAND_INS if afternoon.fallback else None,
            keys=KEYS if afternoon.keys else None,
        )
        try:
            for name, *arguments in afternoon.steps:
                getattr(walk, name)(*arguments)
                walk.check()
            walk.check_rebuilt()
        finally:
            walk.close()


def summarises(attempt: Attempt) -> bool:
    """Whether an attempt asked for a summary."""
    return asks_for_summary(attempt.body)


def asks_for_summary(body: Any) -> bool:
    """Whether a request asks for a summary: of another model, of the chat's own on a side branch, of the API."""
    if body.get("model") not in MODELS or body.get("compaction"):
        return True
    return "software that keeps this conversation" in dumps(body["messages"][-1])


def same_view(before: Epoch, now: Epoch) -> bool:
    """Whether no cut lies between them: it is the same epoch, or one in which only the API clears more."""
    return replace(now, id=before.id, relief=before.relief, reason=before.reason) == before


def same_bytes(sent: Any, rebuilt: Any) -> bool:
    """Whether every field of a body is the same JSON text (the order of top-level fields carries no meaning)."""
    sent = {name: value for name, value in sent.items() if name != "stream"}
    return set(sent) == set(rebuilt) and all(dumps(sent[name]) == dumps(rebuilt[name]) for name in sent)
