"""`sash chat`: a conversation in the terminal, streamed, with a line on what each reply cost.

The loop reads lines, says them, and takes commands that begin with a slash. Ctrl-C during a reply keeps the
chat; what had come is recorded. Errors of a send are shown and the chat goes on.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from sash.claude.clients import sync_client
from sash.cli.common import console as make_console
from sash.cli.common import (
    dollars,
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
from sash.conversation import Conversation
from sash.conversation.files import with_files
from sash.counting.estimator import Estimator
from sash.errors import CallerError, InvalidOption, NotFound, RemoteError, SashError, StoreError
from sash.model.blocks import Block
from sash.model.cards import card
from sash.model.replies import Reply
from sash.model.values import counted
from sash.planning import explain
from sash.planning.situation import Strategy
from sash.stores.port import UsageRow
from sash.types import MemoryMode

with contextlib.suppress(ImportError):  # line editing and history where the platform has it
    import readline  # noqa: F401

SHOWN = 10
"""Turns that `/history` shows."""
GO_ON = "Go on."
"""What `/plan` supposes you say."""


@click.command()
@click.argument("database", default="chats.db", type=NEW_DATABASE)
@click.option("--id", "id", help="The conversation to go on with, or to begin [default: a new one, named by the time]")
@click.option("--user", callback=user_of, help="Whose conversation it is.")
@click.option("--system", help="The system prompt.")
@window_options()
@click.option("--simulator", is_flag=True, help="Talk to the built-in simulator: no key, no cost.")
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
) -> None:
    """Talk to Claude. Every turn is kept in DATABASE (default: chats.db)."""
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
        Talk(conversation, shown(database), make_console()).run()
    finally:
        store.close()


def _client(simulator: bool) -> Any:
    return sync_client(paced_simulator().client() if simulator else None)


class Talk:
    """The loop: a conversation, and what has been typed to it."""

    def __init__(self, conversation: Conversation, database: str, console: Console) -> None:
        self.chat, self.console, self.database = conversation, console, database
        self.going = True
        self.files: list[tuple[Path, Block]] = []
        self.commands: dict[str, tuple[Callable[[str], None], str]] = {
            "/plan": (self._plan, "[TEXT]  what the next request would look like; sends nothing"),
            "/usage": (self._usage, "what this conversation has used so far"),
            "/profile": (self._profile, "what is remembered about you, from all your conversations (needs --user)"),
            "/history": (self._history, f"[N]  the newest turns (default {SHOWN})"),
            "/fork": (self._fork, "[N]  go on in a copy that ends with reply N (default: the newest)"),
            "/retry": (self._retry, "send a turn that got no answer again, or ask again after a reply cut short"),
            "/pin": (self._pin, "[N]  keep turn N in every request, with its question or answer (default: the newest)"),
            "/attach": (self._attach, "[PATH]  send a file with your next message; without PATH: what is attached"),
            "/detach": (self._detach, "take back what is attached"),
            "/help": (self._help, "this list"),
            "/quit": (self._quit, "leave; so does Ctrl-D"),
        }

    def run(self) -> None:
        """Read and answer until the end of input or /quit."""
        if sys.stdin.isatty():
            whose = f" of {self.chat.user}" if self.chat.user else ""
            said = f"{self.chat.model}, conversation {self.chat.id}{whose} in {self.database}."
            self._dim(f"{said} /help lists the commands.")
        while self.going:
            try:
                line = input("you> " if sys.stdin.isatty() else "").strip()
            except EOFError:
                break
            except KeyboardInterrupt:
                self.console.print()
                self._dim("Ctrl-D or /quit leaves.")
                continue
            self._take(line)
        self._dim(f"Kept. Go on with: sash chat {self.database} --id {self.chat.id}")

    def _take(self, line: str) -> None:
        """One line: a command, or something to say."""
        name, _, rest = line.partition(" ")
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
        content, attached, self.files = self._with_attached(text), self.files, []
        try:
            with self.chat.stream(content) as stream:
                for piece in stream:
                    self._print_piece(piece)
        except (CallerError, StoreError):  # nothing was recorded
            self.files = attached
            raise
        self._print_end(stream.reply)

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
        reply = self.chat.retry()
        self._print_piece(reply.text)
        self._print_end(reply)

    def _print_piece(self, text: str) -> None:
        click.echo(printable(text), nl=False)
        sys.stdout.flush()

    def _print_end(self, reply: Reply) -> None:
        self.console.print()
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
        self.console.print(escape(self.chat.plan(self._with_attached(text or GO_ON)).explain()))

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

    def _turn(self, rest: str) -> Any:
        """The turn with the number given; without one, the newest."""
        number = _number(rest, 0)
        found = self.chat.history(after=number - 1) if number else self.chat.history(limit=1)
        if not found or (number and found[0].seq != number):
            raise NotFound("no such turn; /history shows their numbers", kind="turn", key=rest)
        return found[0]

    def _help(self, _: str) -> None:
        for name, (_command, what) in self.commands.items():
            self.console.print(f"[bold]{name:10}[/]{escape(what)}", soft_wrap=True)

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
