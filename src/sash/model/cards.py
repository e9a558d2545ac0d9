"""What is known of each model: window, prices, cacheable minimum, features. One dated table.

`card(model)` answers from `TABLE` (as of `AS_OF`), then from `genai-prices` for models that are not in
it; a model that neither knows is supposed to be like the newest, without prices. Prices are dollars per
million tokens; sizes are tokens. Fields marked "unconfirmed" in a comment rest on no authoritative text
and carry the cautious value. Correct a fact here and nowhere else.
Source of the table: the Messages API documentation ("Models overview", "Pricing", "Prompt caching",
"Thinking", "Preserved thinking", "What's new in ..."), read in November 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from sash.errors import UnknownModel
from sash.model.names import misspelt
from sash.model.settings import settings
from sash.model.usage import Usage

AS_OF = "2026-11-21"

Ttl = Literal["5m", "1h"]
TTL_SECONDS: dict[Ttl, int] = {"5m": 300, "1h": 3600}


def lasting(ttl: Ttl | None) -> str:
    """How long something stays in the prompt cache, in words; None: it is not written there."""
    return "not cached" if ttl is None else f"cached for {'an hour' if ttl == '1h' else '5 minutes'}"


WRITE_FACTOR: dict[Ttl, float] = {"5m": 1.25, "1h": 2.0}  # of the base input price, all models ("Pricing")
BATCH_FACTOR = 0.5

Generation = Literal["v3", "v4.7", "v5"]
"""Tokenizer generation: up to 4.6; 4.7; 4.8 and later. Counts never carry over from one to another."""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars per million tokens for requests of more than `above` prompt tokens."""

    above: int = 0
    fresh: float
    output: float
    read: float
    write_5m: float
    write_1h: float

    def of(self, usage: Usage) -> float:
        """Dollars for `usage` at this price."""
        return (
            usage.fresh * self.fresh
            + usage.read * self.read
            + usage.write_5m * self.write_5m
            + usage.write_1h * self.write_1h
            + usage.output * self.output
        ) / 1e6

    def write(self, ttl: Ttl) -> float:
        """Dollars per million tokens written with this lifetime."""
        return self.write_5m if ttl == "5m" else self.write_1h


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One model's facts. Build a variant with `dataclasses.replace` and pass it as `card=`."""

    id: str
    window: int
    max_output: int
    prices: tuple[Price, ...]
    """Ascending by `above`; empty: prices unknown. A tier's price holds for the entire request."""
    cache_minimum: int
    """Fewest prefix tokens that are cached at all; shorter prefixes are silently billed fresh."""
    generation: Generation = "v5"
    system_turns: bool = False
    """Takes `role: "system"` inside `messages`."""
    forced_tools: bool = True
    """Takes `tool_choice` any / tool."""
    prefill: bool = False
    """Takes a conversation that ends in an assistant message."""
    thinking_kept: Literal["all", "last"] = "all"
    """Which earlier thinking blocks stay in the context (and count)."""
    thinking_bound: bool = False
    """Binds each thinking block to the exact prefix before it; an edited prefix is refused."""
    thinking_bound_for_all: bool = False
    """Binding is enforced for every account, not only those created since 2026-08-31."""
    open_tools_without_thinking: bool = True
    """Accepts an unfinished tool exchange whose thinking was stripped (unconfirmed on binding models)."""
    thinking_default: bool = True
    """Thinks when the request says nothing about thinking."""
    thinking_modes: tuple[str, ...] = ("adaptive", "disabled")
    efforts: bool = True
    """Takes `output_config.effort`."""
    compaction: bool = True
    """Offers server-side compaction ("Compaction overview": 4.6 and later)."""
    image_tier: Literal["high", "standard"] = "high"
    max_images: int = 600
    max_pdf_pages: int = 600
    retires: str | None = None
    """The date (ISO) on which the API stops serving it, where announced."""
    us: float = 1.1
    """What token prices are multiplied by where `inference_geo` is "us" ("Pricing": 4.6 and later)."""
    fast: float = 1.0
    """What they are multiplied by in fast mode, cache prices included; 1 where there is none ("Pricing")."""
    supposed: bool = False
    """Nobody described this model: it is taken for one of the newest generation, and counts get a wider bound."""

    def price(self, prompt: int) -> Price:
        """The price of a request of `prompt` tokens, cached ones included. Raises UnknownModel where none is known."""
        if not self.prices:
            raise UnknownModel(
                f"no prices are known for {self.id!r}, so dollars cannot be told; name a model that has prices "
                "(sash.card), or give them: card=replace(sash.card(...), prices=(Price(...),))",
                model=self.id,
                known=sorted(TABLE),
            )
        return [tier for tier in self.prices if prompt > tier.above or tier.above == 0][-1]

    @property
    def cliff(self) -> int | None:
        """The prompt size beyond which every token of the request costs more, if there is one."""
        return self.prices[1].above if len(self.prices) > 1 else None

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """Dollars for one request."""
        return self.price(usage.prompt).of(usage) * (BATCH_FACTOR if batch else 1.0)


def flat(fresh: float, output: float, *, read: float = 0.1, above: int = 0) -> Price:
    """A price from its base: cache reads cost the share `read` of it, writes 1.25 (5 min) and 2 (1 h) times it."""
    return Price(
        above=above,
        fresh=fresh,
        output=output,
        read=round(fresh * read, 6),
        write_5m=round(fresh * WRITE_FACTOR["5m"], 6),
        write_1h=round(fresh * WRITE_FACTOR["1h"], 6),
    )


_MANUAL = ("enabled", "disabled")
_ALL_MODES = ("adaptive", "enabled", "disabled")
_BIG: dict[str, Any] = {"window": 1_000_000, "max_output": 128_000}
_SMALL: dict[str, Any] = {
    "window": 200_000,
    "max_output": 64_000,
    "generation": "v3",
    "prefill": True,
    "thinking_default": False,
    "thinking_modes": _MANUAL,
    "compaction": False,
    "image_tier": "standard",
    "max_images": 100,
    "max_pdf_pages": 100,
    "us": 1.0,
}

TABLE: dict[str, ModelCard] = {
    card.id: card
    for card in (
        # The cacheable minimum of the 5.2 models is unconfirmed; 512 like their siblings would be likely,
        # 1,024 is the cautious side: a marker too few, never a prediction too rosy. Compaction on them, and on
        # Haiku 5.5, is unconfirmed.
        ModelCard(id="claude-fable-5-2", prices=(flat(8, 40, read=0.025),), cache_minimum=1024, system_turns=True,
                  forced_tools=False, compaction=False, thinking_bound=True, thinking_bound_for_all=True,
                  open_tools_without_thinking=False, thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-mythos-5-2", prices=(flat(8, 40, read=0.025),), cache_minimum=1024, system_turns=True,
                  forced_tools=False, compaction=False, thinking_bound=True, thinking_bound_for_all=True,
                  open_tools_without_thinking=False, thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-fable-5-1", prices=(flat(10, 50, read=0.025),), cache_minimum=512, system_turns=True,
                  forced_tools=False, thinking_bound=True, open_tools_without_thinking=False,
                  thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-mythos-5-1", prices=(flat(10, 50, read=0.025),), cache_minimum=512, system_turns=True,
                  forced_tools=False, thinking_bound=True, open_tools_without_thinking=False,
                  thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-fable-5", prices=(flat(10, 50),), cache_minimum=512, system_turns=True,
                  thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-mythos-5", prices=(flat(10, 50),), cache_minimum=512, system_turns=True,
                  thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-opus-5-5", prices=(flat(4, 20, read=0.05),), cache_minimum=512, fast=2.0,
                  system_turns=True, forced_tools=False, thinking_bound=True, open_tools_without_thinking=False,
                  thinking_modes=("adaptive",), **_BIG),
        ModelCard(id="claude-opus-5", prices=(flat(5, 25),), cache_minimum=512, fast=2.0, system_turns=True, **_BIG),
        ModelCard(id="claude-opus-4-8", prices=(flat(5, 25),), cache_minimum=1024, fast=2.0, system_turns=True,
                  thinking_default=False, **_BIG),
        ModelCard(id="claude-opus-4-7", prices=(flat(5, 25),), cache_minimum=2048, generation="v4.7",
                  thinking_default=False, **_BIG),
        ModelCard(id="claude-opus-4-6", prices=(flat(5, 25),), cache_minimum=4096, generation="v3",
                  thinking_default=False, thinking_modes=_ALL_MODES, image_tier="standard", **_BIG),
        ModelCard(id="claude-opus-4-5", prices=(flat(5, 25),), cache_minimum=4096, efforts=True, **_SMALL),
        ModelCard(id="claude-sonnet-5-5", prices=(flat(2, 10, read=0.05),), cache_minimum=512, system_turns=True,
                  forced_tools=False, thinking_bound=True, open_tools_without_thinking=False,
                  thinking_modes=("adaptive", "between_tools"), **_BIG),
        ModelCard(id="claude-sonnet-5", prices=(flat(2, 10),), cache_minimum=1024, **_BIG),
        # Documented minimum 1,024; users report about 2,048 (anthropic-sdk-python issue 1194).
        ModelCard(id="claude-sonnet-4-6", prices=(flat(3, 15),), cache_minimum=1024, generation="v3",
                  thinking_default=False, thinking_modes=_ALL_MODES, image_tier="standard", **_BIG),
        ModelCard(id="claude-sonnet-4-5", prices=(flat(3, 15), flat(6, 22.5, above=200_000)), cache_minimum=1024,
                  thinking_kept="last", efforts=False, retires="2026-11-30", **_SMALL),
        # Whether cached tokens count towards the 100,000 is unconfirmed; genai-prices counts them, and so do we.
        # Keep-all thinking is implied by preserved thinking, not stated; role: system is unconfirmed.
        ModelCard(id="claude-haiku-5-5", prices=(flat(0.10, 0.50), flat(0.50, 2.50, above=100_000)),
                  cache_minimum=512, thinking_bound=True, open_tools_without_thinking=False, compaction=False, **_BIG),
        ModelCard(id="claude-haiku-4-5", prices=(flat(1, 5),), cache_minimum=4096, thinking_kept="last",
                  efforts=False, **_SMALL),
    )
}  # fmt: skip

_DATED = re.compile(r"-20\d{6}$")
_CLOUD_PREFIX = re.compile(r"^(?:[a-z]{2,6}\.)?anthropic\.|^anthropic/")
_ROUTED = "anthropic/"
"""How gateways to several vendors write it; they put a dot into versions: `anthropic/claude-sonnet-4.5`."""
_CLOUD_SUFFIX = re.compile(r"(?:-v\d+(?::\d+)?|@\d{8}|@latest)$")


@lru_cache(maxsize=256)  # few models, asked for at every step
def base_name(model: str) -> str:
    """The id without a cloud platform's decoration or a date: `us.anthropic.claude-haiku-4-5-20251001-v1:0`."""
    bare = _CLOUD_SUFFIX.sub("", _CLOUD_PREFIX.sub("", model))
    if model.startswith(_ROUTED):
        bare = bare.replace(".", "-")
    return _DATED.sub("", bare)


def card(model: str) -> ModelCard:
    """The card of a model id (dated and cloud forms included).

    A model that is not in the table but that `genai-prices` knows gets cautious features and its prices; one that
    nobody knows gets the newest generation's features and no prices (`supposed` says so). Raises UnknownModel, which
    names the model that is meant, for a known name misspelt, and for an id that is no text.
    """
    if not isinstance(model, str) or not model.strip():
        raise UnknownModel(f"a model id is a non-empty string, not {model!r}", model=model, known=sorted(TABLE))
    name = base_name(model)
    found = TABLE.get(name) or priced_elsewhere(name) or _supposed(model, name)
    return replace(found, id=model) if model != found.id else found


def _supposed(model: str, name: str) -> ModelCard:
    """What is taken for true of a model that nobody described: what the newest ones have in common, at its most
    cautious. Raises UnknownModel where it is a known one misspelt."""
    if meant := misspelt(name, tuple(TABLE)):
        raise UnknownModel(
            f"unknown model {model!r}; did you mean {meant!r}? If it is a model of its own, describe it: "
            "card=ModelCard(id=..., window=..., ...)",
            model=model,
            known=sorted(TABLE),
            meant=meant,
        )
    return ModelCard(
        id=model,
        prices=(),
        cache_minimum=1_024,
        thinking_bound=True,
        open_tools_without_thinking=False,
        thinking_modes=(),
        compaction=False,
        supposed=True,
        **_BIG,
    )


def supposition(supposed: ModelCard) -> str:
    """What the cautious card of an undescribed model means for who uses it, in one sentence."""
    return (
        f"{supposed.id} is not known: counted as the newest models count, with a wider bound; without prices dollars "
        "are unknown and fixed limits decide what is left out; card=ModelCard(...) describes it"
    )


def _load_genai_prices() -> Any:
    """The one place that imports genai-prices (a large table, 0.1 s): only for models that are not in ours."""
    import genai_prices.data_snapshot  # noqa: PLC0415

    return genai_prices.data_snapshot


def priced_elsewhere(model: str) -> ModelCard | None:
    """A cautious card with the prices of `genai-prices`, or None where it does not know exactly this model."""
    if not model.startswith("claude-"):
        return None
    try:
        _, info = _load_genai_prices().get_snapshot().find_provider_model(model, None, "anthropic", None)
    except LookupError:
        return None
    if model not in (info.id, _DATED.sub("", info.id), info.id.removesuffix("-latest"), info.id.removesuffix("-0")):
        return None  # genai-prices matches by prefix: a misspelt id must not pass for a known one
    prices = info.get_prices(datetime.fromisoformat(AS_OF).replace(tzinfo=UTC))
    return ModelCard(
        id=model,
        window=info.context_window or 200_000,
        max_output=info.context_window or 200_000,  # not told there: what the model may take is not refused here
        prices=_tiers(prices),
        cache_minimum=4_096,
        generation="v3",
        thinking_kept="last",
        thinking_default=False,
        thinking_modes=(),
        compaction=False,
        image_tier="standard",
        max_images=100,
    )


def dollars(model: str, usage: Usage) -> float | None:
    """What a request cost: by the model's card or, for a model of another provider, by `genai-prices`.

    None where neither knows the model.
    """
    if base_name(model).startswith("claude"):
        known = TABLE.get(base_name(model)) or priced_elsewhere(base_name(model))
        return known.cost(usage) if known is not None else None
    snapshot = _load_genai_prices().get_snapshot()
    try:
        _, info = snapshot.find_provider_model(model, None, None, None)
    except LookupError:
        return None
    tiers = _tiers(info.get_prices(datetime.fromisoformat(AS_OF).replace(tzinfo=UTC)))
    return [tier for tier in tiers if usage.prompt > tier.above or tier.above == 0][-1].of(usage)


def _tiers(prices: Any) -> tuple[Price, ...]:
    """Turn genai-prices' fields (plain or tiered, dollars per million) into our ascending tiers."""
    starts = sorted({0, *(tier.start for tier in getattr(prices.input_mtok, "tiers", ()))})

    def at(price: Any, start: int, default: float) -> float:
        if price is None:
            return default
        reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= start and start]
        return float(reached[-1] if reached else getattr(price, "base", price))

    tiers = []
    for start in starts:
        fresh = at(prices.input_mtok, start, 0.0)
        tiers.append(
            Price(
                above=start,
                fresh=fresh,
                output=at(prices.output_mtok, start, 0.0),
                read=at(prices.cache_read_mtok, start, fresh * 0.1),
                write_5m=at(prices.cache_write_mtok, start, fresh * WRITE_FACTOR["5m"]),
                write_1h=at(getattr(prices, "cache_write_1h_mtok", None), start, fresh * WRITE_FACTOR["1h"]),
            )
        )
    return tuple(tiers)
