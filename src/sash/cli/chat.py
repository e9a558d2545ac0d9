"""`sash chat`: a conversation in the terminal, streamed, with a line on what each reply cost.

The loop reads lines, says them, and takes commands that begin with a slash. Ctrl-C during a reply keeps the
chat; what had come is recorded. Errors of a send are shown and the chat goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sash.claude.clients import sync_client
from sash.cli.common import console as make_console
from sash.cli.common import (
    dollars,
    moment,
    namespace,
    one_line,
    paced_simulator,
    percent,
    printable,
    say,
    say_error,
    spent,
    user_of,
    window_options,
)
from sash.cli.database import NEW_DATABASE, open_database, shown
from sash.cli.move import write_new
from sash.cli.replies import shown_reply
from sash.cli.typed import TypedMessages
from sash.conversation import Conversation
from sash.conversation.files import with_files
from sash.conversation.streaming import ReplyStream
from sash.counting.estimator import Estimator
from sash.errors import CallerError, InvalidOption, NotFound, RemoteError, SashError, StoreError
from sash.model.blocks import Block, as_blocks, readable
from sash.model.cards import card, supposition
from sash.model.replies import Reply
from sash.model.turns import Turn
from sash.model.values import counted
from sash.planning import explain
from sash.planning.situation import Strategy
from sash.stores import Store
from sash.stores.port import UsageRow
from sash.types import MemoryMode

SHOWN = 10
"""Turns that `/history` shows."""
SAID = 200
"""Newest turns whose questions the arrow keys call back."""
RECALLED = 400
"""Characters of a turn that `/recall` shows."""
GO_ON = "Go on."
"""What `/plan` supposes you say."""


@click.command(short_help="Talk to Claude")
@click.argument("database", default="chats.db", type=NEW_DATABASE)
@click.option("--id", "id", help="The conversation to go on with, or to begin [default: a new one, named by the time]")
@click.option("--user", callback=user_of, help="Whose conversation it is.")
@click.option("--system", help="The system prompt.")
@window_options()
@click.option("--simulator", is_flag=True, help="Talk to the built-in simulator: no key, no cost.")
@click.option("--plain", is_flag=True, help="Print replies as they come, without drawing their Markdown.")
def chat(
    database: str,
    id: str | None,
    user: str | None,
    system: str | None,
    model: str | None,
    memory: MemoryMode,
    budget: int | None,
    keep: int | None,
    strategy: Strategy | None,
    simulator: bool,
    plain: bool,
) -> None:
    """Talk to Claude. Every turn is kept in DATABASE (default: chats.db).

    A line is a message; one that ends with a backslash goes on in the next, and so does all between two lines of three
    quotation marks. The arrow keys call back what you said before. /help lists what else can be done.
    """
    if model:
        card(model)  # a misspelt one is no reason to make a file
    client = _client(simulator)
    store = open_database(database)
    try:
        conversation = Conversation(
            store,
            namespace=namespace(),
            user=user,
            id=id or time.strftime("%Y-%m-%d-%H%M%S"),
            model=model,
            memory=memory,
            budget=budget,
            keep=keep,
            strategy=strategy,
            client=client,
            system=system or None,
        )
        Talk(conversation, store, shown(database), make_console(), plain=plain).run()
    finally:
        store.close()


def _client(simulator: bool) -> Any:
    return sync_client(paced_simulator().client() if simulator else None)


class Talk:
    """The loop: a conversation, and what has been typed to it."""

    def __init__(
        self, conversation: Conversation, store: Store, database: str, console: Console, *, plain: bool = False
    ) -> None:
        self.chat, self.store, self.database = conversation, store, database
        self.console, self.plain = console, plain
        self.going = True
        self.typed = TypedMessages(self._said())
        self.chosen: dict[str, Any] = {}
        self.files: list[tuple[Path, Block]] = []
        self.commands: dict[str, tuple[Callable[[str], None], str]] = {
            "/plan": (self._plan, "[TEXT]  what the next request would look like; sends nothing"),
            "/usage": (self._usage, "what this conversation has used so far"),
            "/profile": (self._profile, "what is remembered about you, from all your conversations (needs --user)"),
            "/history": (self._history, f"[N]  the newest turns (default {SHOWN})"),
            "/fork": (self._fork, "[N]  go on in a copy that ends with reply N (default: the newest)"),
            "/edit": (
                self._edit,
                "[N] [TEXT]  say TEXT in the place of turn N (default: your newest); both are kept",
            ),
            "/retry": (self._retry, "send a turn that got no answer again, or ask again after a reply cut short"),
            "/pin": (self._pin, "[N]  keep turn N in every request, with its question or answer (default: the newest)"),
            "/attach": (self._attach, "[PATH]  send a file with your next message; without PATH: what is attached"),
            "/detach": (self._detach, "take back what is attached"),
            "/model": (self._model, "[NAME]  the model that answers; with NAME: from your next message on"),
            "/system": (self._system, "[TEXT]  the system prompt; with TEXT: from your next message on"),
            "/recall": (self._recall, "TEXT  what was said about it, also long ago"),
            "/export": (self._export, "[FILE]  write the conversation as .json, .jsonl, .md or .html, by FILE's name"),
            "/help": (self._help, "this list"),
            "/quit": (self._quit, "leave; so does Ctrl-D"),
        }

    def run(self) -> None:
        """Read and answer until the end of input or /quit."""
        if self.typed.asks:
            whose = f" of {self.chat.user}" if self.chat.user else ""
            said = f"{self.chat.model}, conversation {self.chat.id}{whose} in {self.database}."
            self._dim(f"{said} /help lists the commands.")
        while self.going:
            try:
                line = self.typed.read()
            except EOFError:
                break
            except KeyboardInterrupt:
                self.console.print()
                self._dim("Ctrl-D or /quit leaves.")
                continue
            self._take(line)
        self._dim(f"Kept. Go on with: sash chat {quote(self.database)} --id {quote(self.chat.id)}")

    def _take(self, line: str) -> None:
        """One line: a command, or something to say."""
        name, rest = [*line.split(maxsplit=1), "", ""][:2]
        try:
            if name in self.commands:
                self.commands[name][0](rest.strip())
            elif name.startswith("/"):
                say_error(f"no command {name}; /help lists them")
            elif line:
                self._say(line)
        except SashError as error:
            say_error(str(error) + self._remedy(error))
        except KeyboardInterrupt:
            self._say_stopped()

    def _remedy(self, error: SashError) -> str:
        pending = isinstance(error, RemoteError) and error.facts.get("state") == "pending"
        return " Your message is recorded: /retry sends it again." if pending else ""

    # ---- saying ---------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._send(text, self.chat.stream)

    def _send(self, text: str, ask: Callable[..., ReplyStream]) -> None:
        """Say a text, with what is attached and chosen."""
        content, attached, self.files = self._with_attached(text), self.files, []
        try:
            self._show_reply(ask(content, **self.chosen))
        except (CallerError, StoreError):  # nothing was recorded
            self.files = attached
            raise

    def _show_reply(self, coming: ReplyStream) -> None:
        with shown_reply(self.console, plain=self.plain) as shown, coming as stream:
            for piece in stream:
                shown.add(piece)
        self.chosen.clear()
        self._print_end(stream.reply)

    def _said(self) -> list[str]:
        """What the user said, for the arrow keys."""
        return [turn.text for turn in self.chat.history(limit=SAID) if turn.role == "user" and turn.plain]

    def _with_attached(self, text: str) -> str | list[Any]:
        return [*(block for _, block in self.files), text] if self.files else text

    def _say_stopped(self) -> None:
        newest = self.chat.history(limit=1)
        pending = bool(newest) and newest[0].state == "pending"
        self.console.print()
        self._dim(
            "Stopped before anything came: your message is recorded, /retry sends it again."
            if pending
            else "Stopped; what had come is recorded. Go on, or /retry to ask again."
        )

    def _retry(self, _: str) -> None:
        self._show_reply(self.chat.stream_retry(**self.chosen))

    def _edit(self, rest: str) -> None:
        number, _, text = rest.partition(" ") if rest.partition(" ")[0].isdecimal() else ("", "", rest)
        turn = self._turn(number) if number else self._newest_question()
        text = text.strip() or self._typed_again(turn.text)
        if text:
            self._send(text, partial(self.chat.stream_edit, turn))

    def _newest_question(self) -> Turn:
        said = [turn for turn in self.chat.history(limit=SHOWN) if turn.role == "user" and turn.plain]
        if not said:
            raise NotFound("you have said nothing yet that could be edited", kind="turn", key="")
        return said[-1]

    def _typed_again(self, text: str) -> str:
        """The text as it is changed on the line."""
        if not self.typed.asks:
            raise InvalidOption("say what stands there instead: /edit N TEXT", option="text", value=None)
        return self.typed.read(begun=text)

    def _print_end(self, reply: Reply) -> None:
        if reply.stop_reason not in ("end_turn", "stop_sequence"):
            self._dim(f"The reply ended with {reply.stop_reason}.")
        self._dim(self._status(reply))

    def _status(self, reply: Reply) -> str:
        cost = f"{dollars(reply.cost)} this reply, {self._spent(self.chat.usage())} in all"
        cut = " · the oldest turns are no longer sent" if reply.plan.shortened else ""
        return (
            f"{reply.usage.prompt:,} prompt tokens of {self.chat.budget:,} · "
            f"{percent(reply.usage.cached_share)} cached · {cost}{cut}"
        )

    def _spent(self, used: UsageRow) -> str:
        return spent(used.dollars, used.unpriced)

    # ---- commands -------------------------------------------------------------------------------

    def _plan(self, text: str) -> None:
        self._dim(f"If you now said {text or GO_ON!r}:")
        self.console.print(escape(self.chat.plan(self._with_attached(text or GO_ON), **self.chosen).explain()))

    def _attach(self, rest: str) -> None:
        """Attach a file now, so that what is wrong with it is said now."""
        if rest:
            path = Path(rest.strip("'\"")).expanduser()
            [block] = with_files(path)
            self.files.append((path, block))
        for path, block in self.files:
            self._dim(f"{path.name}: {self._size(block)}")
        self._dim("These go with your next message." if self.files else "Nothing is attached: /attach PATH")

    def _size(self, block: Block) -> str:
        count = Estimator.for_model(self.chat.card).message("user", [block])
        return f"{block['source']['media_type']}, about {count.tokens:,} tokens"

    def _detach(self, _: str) -> None:
        self.files.clear()
        self._dim("Nothing is attached.")

    def _usage(self, _: str) -> None:
        used = self.chat.usage()
        self.console.print(
            f"{counted(used.requests, 'request')}: {used.prompt:,} prompt tokens, "
            f"{explain.split(used.read, used.written, used.fresh)}; {percent(used.cached_share)} cached; "
            f"{used.output:,} tokens of replies; {self._spent(used)}"
        )

    def _profile(self, _: str) -> None:
        """Entries, the newest first; `sash profile` corrects them."""
        for entry in self.chat.profile.entries():
            self.console.print(escape(printable(f"{entry.id:>4} {entry.kind}: {entry.text}")), soft_wrap=True)
        self._dim(f"To correct it: sash profile {self.database} --user {self.chat.user} --remove NUMBER")

    def _history(self, rest: str) -> None:
        for turn in self.chat.history(limit=_number(rest, SHOWN)):
            state = "" if turn.state == "answered" else f" ({turn.state})"
            who = f"{turn.seq:>4} {turn.role}{state}"
            self.console.print(f"[bold]{who}[/]  {escape(one_line(turn.text, 200))}", soft_wrap=True)

    def _fork(self, rest: str) -> None:
        fork = self.chat.fork(self._turn(rest).id if rest else None)
        self.chat = fork
        self._dim(f"You are now in the fork {fork.id}; the conversation it came from stays as it is.")

    def _pin(self, rest: str) -> None:
        turn = self._turn(rest)
        self.chat.pin(turn)
        self._dim(
            f"Turn {turn.seq} stays in every request, with its question or answer (if it is no longer sent: "
            "again from the next time that old turns leave)."
        )

    def _turn(self, rest: str) -> Turn:
        """The turn with the number given; without one, the newest."""
        number = _number(rest, 0)
        found = self.chat.history(after=number - 1) if number else self.chat.history(limit=1)
        if not found or (number and found[0].seq != number):
            raise NotFound("no such turn; /history shows their numbers", kind="turn", key=rest)
        return found[0]

    def _model(self, name: str) -> None:
        if name:
            chosen = card(name)
            self.chosen["model"] = chosen.id
            if chosen.supposed:
                self._dim(f"{supposition(chosen)}.")
        self._dim(f"{self.chosen['model']} from your next message on." if "model" in self.chosen else self.chat.model)

    def _system(self, text: str) -> None:
        if text:
            self.chosen["system"] = text
            self._dim("The system prompt from your next message on.")
            return
        blocks = self.chat.plan(GO_ON, **self.chosen).body.get("system")
        self.console.print(escape(printable(readable(as_blocks(blocks)))) if blocks else "[dim]none[/]")

    def _recall(self, query: str) -> None:
        found = self.chat.recall(query)
        for one in found:
            where = f"{one.turn.seq:>4} {one.turn.role}, {moment(one.turn.at)}, {one.why}"
            self.console.print(f"[dim]{escape(where)}[/]\n{escape(one_line(one.text, RECALLED))}", soft_wrap=True)
        if not found:
            self._dim("Nothing was said about that." if query else "Recall what? /recall TEXT")

    def _export(self, rest: str) -> None:
        path = Path(rest.strip("'\"") or f"{self.chat.id}.json").expanduser()
        write_new(path, self.store, self.chat.id)
        self._dim(f"Written to {path}.")

    def _help(self, _: str) -> None:
        listed = Table.grid(padding=(0, 1))
        listed.add_column(style="bold", no_wrap=True)
        for name, (_command, what) in self.commands.items():
            listed.add_row(name, Text(what))
        self.console.print(listed)
        self._dim('A line that ends with \\ goes on in the next; so does all between two lines of """.')

    def _quit(self, _: str) -> None:
        self.going = False

    def _dim(self, text: str) -> None:
        say(self.console, text, style="dim")


def _number(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise InvalidOption(f"{text!r} is no number of a turn; /history shows them", option="number", value=text)
    return int(text)
