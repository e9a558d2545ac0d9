"""Which model answers: what a router sees, rules for one, and settings made fit for another model.

`Fallback` says where else a request may go when its model cannot take it; a router (`Router`, or any callable from
`Asked` to model ids) chooses for every request. Both see prices with the state of each model's cache in
them: leaving a warm cache is part of the bill. Pure: whether a model is ill, and what a user has left, come in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sash.errors import InvalidOption
from sash.model.cards import ModelCard, base_name
from sash.model.settings import settings
from sash.planning.inputs import Settings
from sash.planning.rules.thinking import WITHOUT_XHIGH
from sash.planning.rules.tools import FORCED


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One model that could answer this request."""

    model: str
    dollars: float | None
    """what the prompt would cost there, its cache as warm or cold as it is; None: no prices, or no such plan"""
    prompt: int = 0
    """tokens of the prompt there"""
    warm: int = 0
    """tokens of it that would be read from that model's cache"""
    problem: str = ""
    """why it cannot take this request (too large, an option it refuses); "" where it can"""
    ill: bool = False
    """whether it failed less than `Fallback.rest` seconds ago, for anybody in this database, or its breaker is open"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request before it is known who will answer."""

    options: tuple[Option, ...]
    """the model in force, then the fallbacks, then those a router names itself"""
    present: str
    """the model that answered last; "" before the first request"""
    characters: int
    """of text in what is said now"""
    images: int
    """in what is said now"""
    tools: bool
    """whether tools are offered"""
    running: bool
    """whether a tool run is open: it answers calls of `present`"""
    stream: bool
    tier: str
    """of the user, as the conversation was told"""
    remaining: float | None
    """dollars left under the tightest ceiling that is kept in this store; None: there is none of dollars"""

    @property
    def prompt(self) -> int:
        """Tokens of the prompt on the model in force."""
        return self.options[0].prompt

    def option(self, model: str) -> Option | None:
        """What is known of one model."""
        return next((option for option in self.options if option.model == model), None)


Route = Callable[[Asked], "str | Sequence[str]"]
"""A router: one model, or several in the order in which they are to be tried."""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """`models` to ask, in this order, when the one in force is overloaded, failing or limited, refuses to answer, or
    breaks off before any text.

    A model that failed is left alone for `rest` seconds, by all conversations of the database; then the first one
    is asked again. A switch that would cost more than `most` dollars beyond staying (the cache is cold on the other
    side) is not made: not away, and not back while the other side's cache is warm; None: whatever it costs.
    Raises InvalidOption.
    """

    models: tuple[str, ...] = ()
    rest: float = 60.0
    most: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.models, str) or not all(isinstance(model, str) and model for model in self.models):
            raise InvalidOption(
                f"models={self.models!r}: give a list of model ids", option="fallback", value=self.models
            )
        if not self.rest >= 0:
            raise InvalidOption(f"rest={self.rest!r}: give seconds", option="rest", value=self.rest)
        if self.most is not None and not self.most >= 0:
            raise InvalidOption(f"most={self.most!r}: give dollars", option="most", value=self.most)


def as_models(given: Any) -> tuple[str, ...]:
    """A list of model ids as a tuple; None for none. Raises InvalidOption for anything else."""
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidOption(f"fallback={given!r:.60}: give a list of model ids", option="fallback", value=given)
    return tuple(given)


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`model` answers where everything given here holds."""

    model: str
    prompt: int | None = None
    """at most so many tokens of prompt"""
    characters: int | None = None
    """at most so many characters said now"""
    images: bool | None = None
    """whether there are images in what is said now"""
    tools: bool | None = None
    """whether tools are offered"""
    tiers: Collection[str] = ()
    """the user is of one of these"""
    remaining: float | None = None
    """fewer than so many dollars are left under the ceilings"""

    def holds(self, asked: Asked) -> bool:
        """Whether it speaks for this request."""
        return (
            (self.prompt is None or asked.prompt <= self.prompt)
            and (self.characters is None or asked.characters <= self.characters)
            and (self.images is None or (asked.images > 0) == self.images)
            and (self.tools is None or asked.tools == self.tools)
            and (not self.tiers or asked.tier in self.tiers)
            and (self.remaining is None or (asked.remaining is not None and asked.remaining < self.remaining))
        )


@settings
@dataclass(frozen=True, slots=True)
class Router:
    """The first of `rules` that holds names the model; where none does, the one in force answers.

    A switch must be worth it: where leaving the present model's warm cache makes this request dearer by more than
    `most` dollars, the present model goes on. A tool run is finished by the model that began it. What cannot
    take the request, or is ill, comes last.
    """

    rules: Sequence[Rule]
    most: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.rules, Rule) or not all(isinstance(rule, Rule) for rule in self.rules):
            raise InvalidOption("a Router takes a list of Rules", option="rules", value=self.rules)

    @property
    def models(self) -> tuple[str, ...]:
        """All that its rules name."""
        return tuple(dict.fromkeys(rule.model for rule in self.rules))

    def __call__(self, asked: Asked) -> Sequence[str]:
        """The models to try, in order."""
        if asked.running and asked.present:
            return tried(asked, asked.present)
        chosen = next((rule.model for rule in self.rules if rule.holds(asked)), asked.options[0].model)
        return tried(asked, _worth(asked, chosen, self.most))


def _worth(asked: Asked, chosen: str, most: float | None) -> str:
    """The model chosen, or the present one where going there costs too much."""
    more = dearer(asked.option(chosen), asked.option(asked.present))
    return asked.present if most is not None and more is not None and more > most else chosen


def dearer(there: Option | None, here: Option | None) -> float | None:
    """By how many dollars the request costs more there than here; None where that cannot be said."""
    if there is None or here is None or there.dollars is None or here.dollars is None:
        return None
    return there.dollars - here.dollars


def tried(asked: Asked, *first: str) -> tuple[str, ...]:
    """These models, then the others in their order; those that are ill or cannot take the request behind them."""
    order = dict.fromkeys((*first, *(option.model for option in asked.options)))
    known = {option.model: option for option in asked.options}
    return tuple(sorted(order, key=lambda model: bool(known.get(model) and (known[model].ill or known[model].problem))))


def settings_on(card: ModelCard, settings: Settings, *, aside: str) -> tuple[Settings, tuple[str, ...]]:
    """The settings with which another model is asked beside the one in force, and what had to give way, in words."""
    options = dict(settings.options)
    sent = {name: fit(card, options) for name, fit in _FITTING.items()}
    fitted = replace(
        settings,
        card=card,
        options=options,
        max_tokens=min(settings.max_tokens, card.max_output),
        aside=aside,
        home=settings.home or settings.model,
    )
    return fitted, tuple(f"{name} is not for {card.id} as asked: sent {how}" for name, how in sent.items() if how)


def _thinking(card: ModelCard, options: dict[str, Any]) -> str:
    """Leave out a mode of thinking that the model does not have; it then thinks as it does by default.

    A budget becomes adaptive thinking where the model knows that: budgets are refused there, or deprecated
    ("Adaptive thinking").
    """
    asked = options.get("thinking")
    if not isinstance(asked, Mapping) or not card.thinking_modes:
        return ""
    if asked.get("type") == "enabled" and "adaptive" in card.thinking_modes:
        rest = {name: value for name, value in asked.items() if name != "budget_tokens"}
        options["thinking"] = {**rest, "type": "adaptive"}
        return "as adaptive"
    return "" if asked.get("type") in card.thinking_modes else _without(options, "thinking")


def _without(options: dict[str, Any], name: str) -> str:
    del options[name]
    return _WITHOUT


def _effort(card: ModelCard, options: dict[str, Any]) -> str:
    """Leave out an effort that the model does not know."""
    config = options.get("output_config")
    level = config.get("effort") if isinstance(config, Mapping) else None
    if level is None or (card.efforts and not (level == "xhigh" and base_name(card.id) in WITHOUT_XHIGH)):
        return ""
    rest = {name: value for name, value in options["output_config"].items() if name != "effort"}
    options.pop("output_config")
    options.update({"output_config": rest} if rest else {})
    return _WITHOUT


def _choice(card: ModelCard, options: dict[str, Any]) -> str:
    """Let the model choose among the tools where it takes no order to use one."""
    choice = options.get("tool_choice")
    if card.forced_tools or not isinstance(choice, Mapping) or choice.get("type") not in FORCED:
        return ""
    return _without(options, "tool_choice")


def _speed(card: ModelCard, options: dict[str, Any]) -> str:  # noqa: ARG001 - one shape for all
    """Fast mode is some models' own, and has a cache of its own."""
    return "" if options.pop("speed", None) is None else _WITHOUT


_WITHOUT = "without"
_FITTING: Mapping[str, Callable[[ModelCard, dict[str, Any]], str]] = {
    "thinking": _thinking,
    "effort": _effort,
    "tool_choice": _choice,
    "speed": _speed,
}
"""What makes an option fit a model, by its name: each changes the options it is given, and says how ("": as asked)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Who else may answer the requests of a conversation, and who chooses."""

    fallback: Fallback = field(default_factory=Fallback)
    route: Route | None = None
    tier: str = ""
    cards: Mapping[str, ModelCard] = field(default_factory=dict)
    """by id, of every model that may be named"""
