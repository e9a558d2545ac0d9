"""What is known of a call while the simulator works on it, and the line of the log that it leaves. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sash.model.usage import Usage
from sash.simulator.faults import Fault
from sash.simulator.scripts import Rule
from sash.simulator.shapes import Problem
from sash.simulator.wire import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One line of the log: what came in, and what went out."""

    number: int
    time: float
    """Seconds since the epoch, at the request's start."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Lower-case names; credentials are left out."""
    betas: tuple[str, ...]
    body: Any
    """The JSON body; None where there was none."""
    workspace: str
    request_id: str
    status: int | None
    """None: no response at all."""
    message_id: str | None = None
    usage: Usage | None = None
    cost: float = 0.0
    """Dollars."""
    stop_reason: str | None = None
    error: str | None = None
    """The error's message."""
    fault: Fault | None = None
    batch: str | None = None
    """The id of the batch that this was an item of."""
    replayed: bool = False
    """Whether the answer came from a cassette."""


class Denied(Exception):
    """Control flow inside `Simulator.handle`: the request is answered with an error."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.message)
        self.problem, self.headers = problem, dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """An attempt that a model declined: what it used, in dollars, and what it had said."""

    usage: Usage
    cost: float
    content: tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Context:
    """What is known of a call while it is worked on."""

    call: Call
    number: int
    started: float
    workspace: str
    body: Any = None
    as_sent: Any = None
    """The body as it came, where it stands for more: the rest of a thread, the content of files."""
    thread: str | None = None
    """The id of the reply that it goes on from, "" for a new thread; None: it has none."""
    fault: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)
    batch: str | None = None
    """The id of the batch that this is an item of."""
    rule: Rule | None = None
    """The rule of the script that it met."""
    declined: tuple[Declined, ...] = ()
    """Attempts on other models before, each of which declined."""
    compacted: Usage | None = None
    """What a compaction by threshold used, before the reply itself."""

    @property
    def request_id(self) -> str:
        return f"req_sim{self.number:020d}"

    @property
    def betas(self) -> tuple[str, ...]:
        named = self.call.headers.get("anthropic-beta", "")
        return tuple(beta.strip() for beta in named.split(",") if beta.strip())
