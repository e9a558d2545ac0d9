"""What the commands share: how errors look, how numbers look, the options of a conversation.

Text of models and of files is shown without its control characters: it must not steer the terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from sash.cli.database import namespace as namespace
from sash.cli.database import with_default
from sash.cli.strategy import StrategyType
from sash.conversation.memory import MODES
from sash.conversation.session import DEFAULT_MEMORY
from sash.errors import InvalidOption, NotFound, SashError
from sash.model.users import check_user
from sash.model.window import Head
from sash.simulator import Clock, Simulator
from sash.stores import Store

PIPED_WIDTH = 120
"""Columns where the output is no terminal and COLUMNS does not say."""

PACE = 0.01
"""Seconds for each token of the simulator's replies, so that they stream as Claude's do."""

NO_KEY = "no key for Claude: set ANTHROPIC_API_KEY, or try without one: --simulator"

READER_LEFT = 141
"""The exit code where whoever reads the output has left (`| head`): a shell's, for a program that SIGPIPE ended."""
INTERRUPTED = 130
"""The exit code after Ctrl-C: a shell's, for a program that SIGINT ended."""

UNSHOWN = re.compile("[\x7f-\x9f\ud800-\udfff]")
"""What `json.dumps` leaves as it is, though it steers terminals or has no UTF-8."""

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: times in unix seconds, sizes in tokens, costs in dollars."
)
"""How a command is asked for what a program can read: each prints it with `print_json`."""


class Fault(click.ClickException):
    """An error of sash, as one red line."""

    def __init__(self, error: SashError | str) -> None:
        super().__init__(" ".join(str(error).split()))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line on stderr."""
        say_error(self.message, file)


class UsageFault(Fault):
    """The same for an option that cannot be."""

    exit_code = 2


class SashGroup(click.Group):
    """A group whose commands never end in a traceback of sash's own errors."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the arguments; `--help` prints here."""
        with _reader_may_leave():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; sash's errors become faults, and signs that the terminal lacks become "?"."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            with _reader_may_leave():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)
        except SashError as error:
            usage = isinstance(error, InvalidOption) and not lacks_key(error)
            raise (UsageFault if usage else Fault)(in_words(error)) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant, and its arguments, with the default database where they name none."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, rest if command is None else with_default(command, ctx, rest)


@contextlib.contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly where nobody reads the output any longer."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # ValueError: no file stands behind it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the flush at the end may go
        raise click.exceptions.Exit(READER_LEFT) from None


class _Console(Console):
    """A console that leaves what to do without a reader to `SashGroup`."""

    def on_broken_pipe(self) -> None:
        """Tell it as all else that prints does."""
        raise BrokenPipeError


def lacks_key(error: SashError) -> bool:
    """Whether an error says that there is no key for Claude."""
    return isinstance(error, InvalidOption) and error.option == "client" and error.value is None


def in_words(error: SashError) -> str:
    """An error in the words of the command line: what is an argument in Python is an option here."""
    return NO_KEY if lacks_key(error) else str(error)


def say_error(message: str, file: IO[Any] | None = None) -> None:
    """One red line on stderr."""
    console = Console(file=file or sys.stderr, soft_wrap=True, highlight=False)
    console.print(Text(f"error: {printable(message)}", style="red"))


def say(out: Console, text: str, style: str = "") -> None:
    """One paragraph: wrapped between words in a terminal, one line elsewhere."""
    out.print(Text(text, style=style), soft_wrap=not out.is_terminal)


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for our tables where there is none."""
    made = _Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_WIDTH
    return made


def progress_bar() -> Progress:
    """A bar on stderr, gone when it is done; nothing where stderr is no terminal."""
    out = console(stderr=True)
    return Progress(console=out, transient=True, disable=not out.is_terminal)


def printable(text: str) -> str:
    """Without control characters, apart from line ends and tabs."""
    return "".join(sign for sign in text if (sign >= " " and not "\x7f" <= sign <= "\x9f") or sign in "\n\t")


def one_line(text: str, most: int) -> str:
    """At most `most` characters in one line."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def print_json(value: Any) -> None:
    """A JSON value on stdout, in UTF-8 whatever the locale; what could steer a terminal is escaped."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    click.echo(UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode())


def dollars(amount: float | None) -> str:
    """Dollars with as many digits as they need."""
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if amount >= 100 else f"${amount:.4f}"


def spent(known: float, unpriced: int) -> str:
    """Dollars of several requests, of which some may have no known price."""
    if not unpriced:
        return dollars(known)
    return f"{dollars(known)} and {unpriced:,} of unknown price" if known else "unknown"


def percent(share: float | None) -> str:
    """A share from 0 to 1."""
    return "–" if share is None else f"{share:.0%}"


def moment(at: float) -> str:
    """A time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def user_of(context: click.Context, parameter: click.Parameter, user: str | None) -> str | None:
    """The user that was named, if any. Raises InvalidOption."""
    del context, parameter
    if user is not None:
        check_user(user)
    return user


def find(store: Store, id: str) -> Head:
    """Where the conversation stands. Raises NotFound."""
    return store.branches.open(namespace=namespace(), id=id, create=False)


def turns_of(store: Store, id: str) -> int:
    """How many turns the conversation has; 0 also where there is none."""
    try:
        return find(store, id).seq
    except NotFound:
        return 0


def paced_simulator() -> Simulator:
    """A simulator to talk to: its replies take their time."""
    return Simulator(clock=Clock(wall=True), seconds_per_token=PACE)


def window_options(*, budget: int | None = None) -> Callable[[F], F]:
    """--model, --memory, --budget, --keep and --strategy."""
    usual = f"{MODES[DEFAULT_MEMORY].budget:,}; {MODES['all'].budget:,} with --memory all"
    options = (
        click.option("--model", metavar="NAME", help="The model to talk to."),
        click.option(
            "--memory",
            type=click.Choice(list(MODES)),
            default=DEFAULT_MEMORY,
            show_default=True,
            help="How much is remembered, from the least money to the least forgotten.",
        ),
        click.option(
            "--budget",
            type=click.IntRange(min=1),
            default=budget,
            help=f"The most prompt tokens of a request [default: {f'{budget:,}' if budget else usual}]",
        ),
        click.option(
            "--keep",
            type=click.IntRange(min=0),
            help="Recent tokens always sent whole [default: a part of the budget, by --memory]",
        ),
        click.option(
            "--strategy",
            type=StrategyType(),
            help='What leaves the window, and when: "SteppedWindow(keep=2000, high=8000)", "SlidingWindow(turns=10)".',
        ),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add
