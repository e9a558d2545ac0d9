"""From content to a `Count`: the estimate and its upper bound, for one model, offline.

`Estimator.message(role, blocks)` counts a turn with its frame, `.preamble(...)` what stands before the
messages, `.text(s)` a bare text. Each has a twin that gives the `Measure`, which is kept with a turn so
that later lessons apply without tokenizing again: `.count(measure)`. The bound holds at `coverage` for
each count; bounds of a sum add up, which is cautious. It does not know what the API injects unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil, floor
from sys import intern
from typing import Any

from sash.counting.bases import Base, base
from sash.counting.bounds import ENOUGH, MARGIN, Cell, quantiles, scale
from sash.counting.classes import CLASSES
from sash.counting.constants import units
from sash.counting.correction import Correction
from sash.counting.measure import NOTHING, Block, Blocks, Measure, Reader, some, total
from sash.counting.weights import VOCABULARY, fitted
from sash.errors import InvalidOption
from sash.model.cards import Generation, ModelCard, card
from sash.model.counts import Count, shared_count

COVERAGE = 0.995
NEWEST: Generation = "v5"
_UNKNOWN_MODEL = 0.15
"""Share added to the bound for a model nobody described: it is counted as the newest generation."""
_FEW = 20
_ENDPOINT = 0.02
"""Bound of the endpoint's answers before any was seen next to usage: no error bound is published."""


class Estimator:
    """Counts for one model. Cheap to build: the tokenizer is loaded at the first count and shared.

    `base` is auto, ctok, tiktoken or features; `correction` is what was learned for this model on this base.
    Raises InvalidOption for a base that is not at hand, or a coverage outside (0, 1).
    """

    def __init__(
        self,
        generation: Generation = NEWEST,
        *,
        base: str = "auto",
        correction: Correction | None = None,
        coverage: float = COVERAGE,
        model: str | None = None,
        image_tier: str = "high",
        thinking_stays: bool = True,
        doubt: float = 0.0,
    ) -> None:
        if not 0 < coverage < 1:
            raise InvalidOption(f"coverage={coverage!r}: choose between 0 and 1", option="coverage", value=coverage)
        self.generation = generation
        self.model = model
        self.correction = correction or Correction()
        self.coverage = coverage
        self._asked = base
        self._units = units(model, generation)
        self._tier = image_tier
        self._thinking_stays = thinking_stays
        self._doubt = doubt
        self._reader: Reader | None = None
        self._text_quantiles: Mapping[str, float] = {}

    @classmethod
    def for_model(
        cls,
        model: str | ModelCard,
        *,
        base: str = "auto",
        correction: Correction | None = None,
        coverage: float = COVERAGE,
    ) -> Estimator:
        """The estimator for a model id or card; one that nobody described counts with a wider bound.

        Raises UnknownModel for a known name misspelt.
        """
        found = model if isinstance(model, ModelCard) else card(model)
        return cls(
            found.generation,
            base=base,
            correction=correction,
            coverage=coverage,
            model=found.id,
            image_tier=found.image_tier,
            thinking_stays=found.thinking_kept == "all",
            doubt=_UNKNOWN_MODEL if found.supposed else 0.0,
        )

    def corrected(self, correction: Correction) -> Estimator:
        """The same estimator with another state of learning; they share the count of characters."""
        self._blocks, self._shares  # noqa: B018 - made before they are shared
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), correction=correction)
        return twin

    @property
    def base(self) -> str:
        """Provenance: the base, the generation, and whether the model is a guess; e.g. "ctok/v5"."""
        return intern(f"{self._base.name}/{self.generation}{' (unknown model)' if self._doubt else ''}")

    @property
    def unseen(self) -> float:
        """Tokens by which nearly all whole turns of this model stayed below their bound or passed it; 0 with few seen.

        What applications inject unseen shows here; see `sash.counting.unseen`.
        """
        turns = self.correction.cell("turn")
        return turns.quantile(self.coverage, margin=1.0) if turns.seen >= _FEW else 0.0

    @property
    def characters(self) -> int:
        """Characters given to the tokenizer so far, by this object."""
        return self._reader.characters if self._reader else 0

    def text(self, text: str) -> Count:
        """The tokens of a bare text, without any frame."""
        return self.count(self.measure_text(text))

    def message(self, role: str, blocks: Blocks) -> Count:
        """The tokens that one turn adds to a prompt, its frame included."""
        return self.count(self.measure_message(role, blocks))

    def preamble(
        self,
        system: Blocks = (),
        tools: Sequence[Block] = (),
        tool_choice: Block | None = None,
        *,
        thinking: Block | None = None,
        output_config: Block | None = None,
    ) -> Count:
        """The tokens before the messages: system, tools with the prompt the API adds for them, the request's frame."""
        return self.count(self.measure_preamble(system, tools, tool_choice, thinking, output_config))

    def measure_text(self, text: str) -> Measure:
        """What `text` counts, kept for later."""
        return self._blocks.text(text)

    def measure_message(self, role: str, blocks: Blocks) -> Measure:
        """What `message` counts, kept for later."""
        return self._blocks.message(role, blocks)

    def measure_preamble(
        self,
        system: Blocks = (),
        tools: Sequence[Block] = (),
        tool_choice: Block | None = None,
        thinking: Block | None = None,
        output_config: Block | None = None,
    ) -> Measure:
        """What `preamble` counts, kept for later."""
        parts = [some("request"), self._blocks.tools(tools, tool_choice)]
        parts += [self._blocks.block(block) for block in _system(system)]
        if (thinking or {}).get("type") in ("enabled", "adaptive"):
            parts.append(some("thinking config"))
        if schema := (output_config or {}).get("format"):
            parts.append(some("format") + self._blocks.json(schema))
        return total(parts)

    def count(self, measure: Measure) -> Count:
        """The estimate for a measure, with what is known now, and its bound."""
        exact = self._tokens(measure)
        tokens = max(0, floor(exact + 0.5))
        return shared_count(tokens, max(tokens, ceil(self._upper(measure, exact))), "estimate", self.base)

    def learned(self, measure: Measure, exact: int) -> Correction:
        """The correction after a clean difference: `measure` turned out to be `exact` tokens. Storing it is yours."""
        upper = self._upper(measure, self._tokens(measure))
        return self.correction.learn(measure, exact, upper, base=self._base.name, units=self._units)

    def endpoint(self, answer: int) -> Count:
        """An answer of the counting endpoint as a count with its bound."""
        learned = self.correction.cell("endpoint")
        share = learned.quantile(self.coverage) if learned.seen >= ENOUGH else _ENDPOINT
        return Count(answer, answer + ceil(share * answer) + 1, "endpoint", self.base)

    def checked(self, answer: int, exact: int) -> Correction:
        """The correction after usage (`exact`) confirmed or corrected an endpoint's `answer` for the same request."""
        return self.correction.observe("endpoint", (exact - answer) / max(1, answer))

    @property
    def _base(self) -> Base:
        return base(self.generation, self._asked)

    @property
    def _blocks(self) -> Reader:
        if self._reader is None:
            self._reader = Reader(self._base, image_tier=self._tier, thinking_stays=self._thinking_stays)
        return self._reader

    def _tokens(self, measure: Measure) -> float:
        value, parts = self.correction.value, measure.parts
        classes = sum([value(name, 1.0) * parts[name] for name in CLASSES if name in parts])
        fixed = sum([value(name, cost.tokens) * parts[name] for name, cost in self._units.items() if name in parts])
        return measure.fixed + classes + fixed

    def _doubtful(self, measure: Measure) -> float:
        """How far text and units may be off, from what was seen when the coefficients were fitted."""
        shares, parts = self._shares, measure.parts
        text = sum([shares[name] * scale(parts[name]) for name in CLASSES if parts.get(name)])
        fixed = sum([cost.spread * parts[name] for name, cost in self._units.items() if name in parts])
        return text + fixed

    def _upper(self, measure: Measure, tokens: float) -> float:
        """The bound of so many tokens, from what is known of texts and units alone."""
        return tokens + measure.slack + self._doubtful(measure) + self._doubt * tokens

    @property
    def _shares(self) -> Mapping[str, float]:
        if not self._text_quantiles:
            self._text_quantiles = _text_quantiles(self.generation, self._base.name, self.coverage)
        return self._text_quantiles


class Estimators:
    """The estimators of several models, each made when it is first asked for.

    Raises what `Estimator.for_model` raises.
    """

    def __init__(self, base: str = "auto") -> None:
        self._base = base
        self._made: dict[str, Estimator] = {}

    def __call__(self, model: str | ModelCard) -> Estimator:
        """The one for a model."""
        name = model if isinstance(model, str) else model.id
        if name not in self._made:
            self._made[name] = Estimator.for_model(model, base=self._base)
        return self._made[name]


@cache  # of what ships with the package, asked for by every conversation
def _text_quantiles(generation: Generation, base: str, coverage: float) -> Mapping[str, float]:
    stored = fitted()["residuals"][VOCABULARY[generation]][base]
    cells = {name: Cell(cell["seen"], tuple(cell["largest"])) for name, cell in stored.items()}
    found = quantiles(cells, coverage)
    rest = max(found.values(), default=0.0) * MARGIN
    return {name: found.get(name, rest) for name in CLASSES}


def _system(system: Blocks) -> Sequence[Mapping[str, Any]]:
    return [{"type": "text", "text": system}] if isinstance(system, str) else system


__all__ = ["COVERAGE", "NOTHING", "Estimator", "Estimators"]
