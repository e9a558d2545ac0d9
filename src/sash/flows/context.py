"""What a conversation object brings to its flows: who it is, how it counts, and what it remembers between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sash.counting.correction import Correction
from sash.counting.measure import Measure
from sash.flows.record import Record
from sash.limits.ceilings.policy import Ceiling
from sash.model.blocks import Block
from sash.model.cards import ModelCard
from sash.model.counts import Count
from sash.model.forecast import Priority
from sash.model.frozen import with_fields
from sash.model.keys import KeyPoolView
from sash.model.values import loads_numbers
from sash.planning.routing import Routing
from sash.planning.shortcuts import Shortcuts
from sash.profile.standing import Standing
from sash.recall.settings import Recall

Sizes = dict[tuple[str, int, str], Count]
"""Estimates made but not stored yet (a dry run stores nothing), by model, turn id and state."""


def as_it_is(result: Block) -> Block:
    """What a tool gave, unchanged."""
    return result


class Counter(Protocol):
    """What sizes are asked of: `sash.counting.estimator.Estimator`, or anything of its shape."""

    @property
    def base(self) -> str: ...
    @property
    def unseen(self) -> float: ...
    def count(self, measure: Measure) -> Count: ...
    def measure_message(self, role: str, blocks: Sequence[Block]) -> Measure: ...
    def preamble(
        self,
        system: Sequence[Block] = ...,
        tools: Sequence[Block] = ...,
        tool_choice: Block | None = ...,
        *,
        thinking: Block | None = ...,
        output_config: Block | None = ...,
    ) -> Count: ...
    def endpoint(self, answer: int) -> Count: ...
    def corrected(self, correction: Correction) -> Counter: ...
    def learned(self, measure: Measure, exact: int) -> Correction: ...
    def checked(self, answer: int, exact: int) -> Correction: ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """The fixed facts of a conversation object. Its mutable fields only save work: they decide nothing."""

    store: Record
    """where the record lives"""
    conversation: int
    id: str
    counter: Counter
    count_online: bool = True
    """whether the count-tokens endpoint may be asked"""
    namespace: str = ""
    user: str = ""
    """whose the conversation is; "" for nobody's"""
    priority: Priority = "interactive"
    """who goes first where requests wait for their turn"""
    max_wait: float | None = None
    """the most seconds that a call may wait for its turn here, and each of its requests at a rate limit"""
    fitted: Callable[[Block], Block] = as_it_is
    """makes what a tool gave fit for many requests: its pictures smaller, where they are larger than need be"""
    recall: Recall | None = None
    """how old turns are looked for and attached to new questions; None: they are not"""
    instructions: int = 0
    """tokens that the user's standing instructions may take where a view begins; 0: they are not quoted"""
    standing: dict[tuple[int, int], tuple[int, tuple[Standing, ...]]] = field(default_factory=dict)
    """those found up to a seq, by branch and by what had been forgotten by then"""
    shortcuts: Shortcuts = field(default_factory=Shortcuts)
    """what the last plan worked out, for the next one"""
    sizes: Sizes = field(default_factory=dict)
    """estimates of turns, remembered until they are stored"""
    quiet_until: list[float] = field(default_factory=lambda: [0.0])
    """until when (unix seconds) the endpoint is left alone, after it was rate-limited"""
    routing: Routing | None = None
    """who else may answer, and who chooses; None: the model asked for"""
    ceilings: tuple[Ceiling, ...] = ()
    """those that are kept in this store: a router is told what is left under them"""
    places: KeyPoolView | None = None
    """the keys that requests may go with; None: one for all"""
    counter_of: Callable[[ModelCard], Counter] | None = None
    """how sizes are counted for another model"""
    bypass_memo: bool = False
    """the reply is not to come from a memo"""
    submission: int = 0
    """id of the submission (see `request.idempotency`) that this send belongs to; 0 for none"""
    calibrations: dict[str, Correction] = field(default_factory=dict)
    """the newest state of learning, by the JSON text it was read from"""

    def calibrated(self, state: str) -> Context:
        """This chat with its counter corrected by what the record says was learned."""
        if not state:
            return self
        if state not in self.calibrations:
            self.calibrations.clear()
            learned: Mapping[str, Any] = loads_numbers(state)
            self.calibrations[state] = Correction.from_json(learned)
        return with_fields(self, counter=self.counter.corrected(self.calibrations[state]))
