"""`sash simulate`: a Claude of one's own on loopback, for any client in any language."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import click
from rich.console import Console

from sash.cli.common import console, dollars, printable, say
from sash.errors import InvalidOption
from sash.simulator import Cassette, Clock, Simulator
from sash.simulator.calls import Attempt
from sash.simulator.limits import Tier
from sash.simulator.relay import REAL_API, Relay
from sash.simulator.server import Serving
from sash.simulator.wire import Answer, Call, Silence

_FILE = click.Path(dir_okay=False)


@click.command(short_help="A simulated Claude for any client")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8643, show_default=True, help="The port; 0: a free one."
)
@click.option("--script", type=_FILE, help="What to answer to what, and which faults when: YAML, TOML, JSON or Python.")
@click.option("--limits", type=click.Choice(get_args(Tier)), help="Rate limits of a tier [default: none].")
@click.option("--latency", type=click.Choice(["real"]), help="Replies begin and come as slowly as from such models.")
@click.option("--record", type=_FILE, metavar="CASSETTE", help="Pass calls on to the real API, and keep the answers.")
@click.option("--replay", type=_FILE, metavar="CASSETTE", help="Answer from a recording; simulate what is not in it.")
@click.option("--upstream", metavar="URL", help=f"With --record: the API to pass calls on to [default: {REAL_API}]")
@click.option("--quiet", is_flag=True, help="No line for each request.")
def simulate(record: str | None, upstream: str | None, port: int, quiet: bool, **options: str | None) -> None:
    """A simulated Claude on loopback: it answers from what it is sent, bills, caches, limits and refuses.

    Any client of the Messages API talks to it by its base URL, with any key or none. Ctrl-C ends it, and shows what
    was asked and what it would have cost.
    """
    others = [name for name, value in options.items() if value is not None]
    if record is None and upstream is not None:
        raise InvalidOption("--upstream goes with --record", option="upstream", value=upstream)
    if record is not None and others:
        raise InvalidOption(f"--record asks the real API, so --{others[0]} has no effect", option=others[0])
    clock, out = Clock(wall=True), console()
    handler = _simulator(clock, **options) if record is None else Relay(Cassette(record), upstream or REAL_API)
    serving = Serving(handler if quiet else _Reporting(handler, out), clock, port)
    try:
        say(out, f"{_what(record)} at {serving.url} (Ctrl-C ends it)")
        say(out, f"export ANTHROPIC_BASE_URL={serving.url}" + ("" if record else " ANTHROPIC_API_KEY=any"))
        with _until_told() as wait:
            wait()
    finally:
        serving.close()
    say(out, _sum(handler))


def _what(record: str | None) -> str:
    return "A simulated Claude" if record is None else f"Claude, recorded in {record},"


def _simulator(clock: Clock, *, script: str | None, limits: Any, latency: Any, replay: str | None) -> Simulator:
    if replay is not None and not len(cassette := Cassette(replay)):
        raise InvalidOption(f"{replay} holds no answers: record some with --record", option="replay", value=replay)
    made = Simulator(clock=clock, limits=limits, latency=latency, cassette=cassette if replay else None)
    if script is not None:
        made.follow(script)
    return made


class _Reporting:
    """A handler that says in one line what each request was answered with; never what was said in it."""

    def __init__(self, handler: Simulator | Relay, out: Console) -> None:
        self._handler, self._out = handler, out

    def handle(self, call: Call) -> Answer | Silence:
        """Answer, and tell."""
        answer = self._handler.handle(call)
        status = answer.status if isinstance(answer, Answer) else answer.kind
        attempt = _attempt(self._handler, answer)
        say(self._out, printable(f"{call.method} {call.path} {status}{_used(attempt) if attempt else ''}"))
        return answer


def _attempt(handler: Simulator | Relay, answer: Answer | Silence) -> Attempt | None:
    """The line of the log that an answer left."""
    if isinstance(handler, Relay) or isinstance(answer, Silence):
        return None
    named = answer.headers.get("request-id")
    return next((one for one in reversed(handler.log) if one.request_id == named), None)


def _used(attempt: Attempt) -> str:
    """What a request used, or why it was refused."""
    if attempt.error is not None:
        return f" {attempt.error}"
    model = attempt.body.get("model", "") if isinstance(attempt.body, dict) else ""
    if attempt.usage is None:
        return f" {model}".rstrip()
    usage = attempt.usage
    parts = f"in {usage.prompt:,} (read {usage.read:,}, wrote {usage.write:,}) out {usage.output:,}"
    return f" {model} {parts} {dollars(attempt.cost)} {attempt.stop_reason}{' (replayed)' if attempt.replayed else ''}"


def _sum(handler: Simulator | Relay) -> str:
    """What was asked in all."""
    if isinstance(handler, Relay):
        handler.close()
        return f"{len(handler.cassette):,} answers in {handler.cassette.path}"
    refused = sum(attempt.status != 200 for attempt in handler.log)
    return f"{len(handler.log):,} requests, {refused:,} of them refused; {dollars(handler.cost)}"


@contextmanager
def _until_told() -> Iterator[Callable[[], object]]:
    """Something to wait with until Ctrl-C or SIGTERM."""
    told = threading.Event()
    before = {sign: signal.signal(sign, lambda *_: told.set()) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.wait
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
