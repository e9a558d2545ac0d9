"""What a conversation is told, and what each of its calls makes of that: settings checked, arguments read. No I/O.

A `Session` needs no record: a job of many questions has one, too, and knows by it what it will ask. What lasts of a
call (model, system, tools, thinking, effort) lasts here.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import is_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from sash.claude.functions import as_tools, cheap_names
from sash.claude.keys import Key, KeyPool, as_pool
from sash.claude.options import check_values
from sash.claude.structured import format_of
from sash.conversation.arguments import (
    Setting,
    body_options,
    card_for,
    check_background,
    check_choice,
    check_clock,
    check_flag,
    check_markers,
    check_max_wait,
    check_most,
    check_numbers,
    check_priced,
    check_recall,
    check_seconds,
    check_text,
    check_tokens,
    marks_of,
    question_of,
    recall_of,
    routing_of,
)
from sash.conversation.memory import mode_of, searching, told
from sash.conversation.pictures import with_smaller_pictures
from sash.counting.correction import Correction
from sash.counting.estimator import Estimators
from sash.errors import InvalidOption, NotFound
from sash.flows.context import Context, Sizes
from sash.flows.record import Record
from sash.flows.request.send import Call
from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy, RetryPolicy
from sash.limits.layers import Layers
from sash.model.blocks import plain
from sash.model.cards import ModelCard, Ttl, supposition
from sash.model.cards import card as card_of
from sash.model.forecast import Priority
from sash.model.options import asked_format, check_options
from sash.model.preamble import Preamble, preamble
from sash.model.turns import Draft
from sash.model.users import check_user
from sash.planning.inputs import Settings
from sash.planning.routing import Fallback, Route
from sash.planning.shortcuts import Shortcuts
from sash.planning.situation import Marks, Strategy
from sash.planning.strategies.economic import check_tools
from sash.planning.strategies.summarised import Summarised, summarising
from sash.planning.traits import check_strategy, parts, traits
from sash.profile.standing import Standing
from sash.recall import Recall
from sash.stores import Store, check_store
from sash.types import MemoryMode, RequestOptions, System, ToolList

if TYPE_CHECKING:
    from sash.claude.middleware import Breaker, Ceilings, Limiter, Memo, Meter, Retries
else:  # whoever resolves the annotations when it runs need not load the SDK, which these are made of
    Breaker = Ceilings = Limiter = Memo = Meter = Retries = Any

log = logging.getLogger("sash")

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_MEMORY: MemoryMode = "balanced"
DEFAULT_MAX_TOKENS = 8_192

CALLS = {
    "output_format": "it belongs to one call, as send(..., output_format=)",
    "token": "it belongs to one call, as send(..., token=)",
    "bypass_memo": "it belongs to one call, as send(..., bypass_memo=)",
    "max_steps": "it belongs to a run, as run(..., max_steps=)",
    "on_event": "it belongs to a run, as run(..., on_event=)",
}
"""What is given to a call beside the options of a request, and never to a conversation as a whole."""
LASTING = {"model", "system", "tools", "max_tokens"}
"""What may be told a conversation, and changed by a call."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One call, its arguments read against what is in force."""

    chat: Context
    settings: Settings
    call: Call
    options: Mapping[str, Any]
    """those that were given with it"""
    format: Any
    """what its reply is read as; None: as text"""
    tools: Sequence[Any] | None = None
    """the functions of a run, which stay in force; None: those that are"""

    def question(self, content: Any) -> tuple[Draft, ...]:
        """The user turn that says `content`. Raises InvalidContent."""
        return question_of(content, betas=bool(self.settings.betas))


class Session:
    """The settings in force. `Conversation` says what each of them means. Raises CallerErrors."""

    budget = Setting[int](check_tokens)
    keep = Setting[int](check_tokens)
    max_tokens = Setting[int](check_tokens)
    strategy = Setting[Strategy](lambda name, value: check_strategy(value, name))
    recalls = Setting["Recall | None"](check_recall)

    def __init__(
        self,
        store: str | Path | Store | None = None,
        *,
        client: Any = None,
        id: str | None = None,
        model: str | None = None,
        system: System | None = None,
        tools: ToolList | None = None,
        memory: MemoryMode = DEFAULT_MEMORY,
        budget: int | None = None,
        keep: int | None = None,
        strategy: Strategy | None = None,
        summarise: bool | str | Summarised | None = None,
        recall: Recall | bool | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        max_result: int | None = None,
        cache: Ttl | Marks | Literal["auto"] | None = "auto",
        namespace: str = "",
        user: str | None = None,
        counter: Literal["auto", "ctok", "tiktoken", "features"] = "auto",
        count_online: bool = True,
        busy: Literal["wait", "error"] = "wait",
        background: Literal["here", "worker"] = "here",
        dedupe_window: float = 0.0,
        fallback: Sequence[str] | Fallback | None = None,
        router: Route | None = None,
        tier: str = "",
        keys: KeyPool | Sequence[Key] | None = None,
        card: ModelCard | None = None,
        clock: Callable[[], float] = time.time,
        create: bool = True,
        breaker: BreakerPolicy | Breaker | bool | None = None,
        ceilings: Ceiling | Sequence[Ceiling] | Ceilings | None = None,
        limits: Limits | Limiter | Literal["start", "build", "scale"] | bool | None = None,
        meter: Alerts | Meter | bool | None = None,
        max_wait: float | None = None,
        priority: Priority = "interactive",
        memo: MemoPolicy | Memo | bool | None = None,
        retries: RetryPolicy | Retries | bool | None = None,
        **options: Unpack[RequestOptions],
    ) -> None:
        check_numbers(budget=budget, max_tokens=max_tokens, max_result=max_result)
        check_store(store)
        check_choice("busy", busy, ("wait", "error"))
        check_background(background, store)
        check_choice("counter", counter, ("auto", "ctok", "tiktoken", "features"))
        check_choice("priority", priority, ("interactive", "background"))
        check_seconds("dedupe_window", dedupe_window)
        check_max_wait(max_wait)
        check_text("namespace", namespace)
        if user is not None:
            check_user(user)
        check_flag("count_online", count_online)
        check_flag("create", create)
        check_clock(clock)
        self.store, self.client = store, client
        self.id = id if id is not None else uuid.uuid4().hex
        check_text("id", self.id)
        if not self.id:
            raise InvalidOption("id='': give a name, or None for one made up", option="id", value=id)
        self.namespace, self.user, self.create, self.clock = namespace, user, create, clock
        mode = mode_of(memory)
        self.memory = memory
        self.budget = budget if budget is not None else mode.budget
        check_numbers(budget=self.budget, keep=keep)
        self.keep = keep if keep is not None else self.budget // mode.keep
        self.strategy = summarising(summarise, strategy, mode.strategy)
        self.recalls = recall_of(recall, mode.recalls(self.budget))
        self._others = mode.others and recall is None
        self.instructions, self.distils = mode.quotes(self.budget), mode.distils
        self.max_tokens, self.max_result = max_tokens, max_result
        self.marks = marks_of(cache)
        self.layers = Layers(breaker=breaker, ceilings=ceilings, limits=limits, meter=meter, memo=memo, retries=retries)
        self.priority, self.max_wait, self.dedupe_window = priority, max_wait, dedupe_window
        self.base, self.count_online, self.waits = counter, count_online, busy == "wait"
        self.leaves_jobs = background == "worker"
        self.routing, self.keys = routing_of(fallback, router, tier), as_pool(keys)
        self._card = card_for(card, model)
        self._told: set[str] = set()
        self._check_most()
        self._meet(*filter(None, [self._card]), *(self.routing.cards.values() if self.routing else ()))
        self.tools: Sequence[Any] = as_tools(() if tools is None else tools)
        self.preamble = preamble(system, self.tools)
        self.cheap = cheap_names(self.tools) if self.tools else None
        self._given = (system is not None, tools is not None)
        self.options = check_options(options, beside=SETTINGS, elsewhere=CALLS)
        check_values(self.options)
        check_markers(self.preamble, self.options)
        self._key: int | None = None
        self._quiet_until = [0.0]
        self._made: tuple[tuple[Any, ...], tuple[Settings, Context]] | None = None
        """what was in force, and what a request that said nothing got"""
        self._calibrations: dict[str, Correction] = {}
        self.counter = Estimators(counter)
        """what sizes are counted with for a model"""
        self.forget_forms()

    def forget_forms(self) -> None:
        """Turns may be sent in another form from now on: what was remembered of them is of no use."""
        self._shortcuts, self._sizes = Shortcuts(), Sizes()
        self._standing: dict[tuple[int, int], tuple[int, tuple[Standing, ...]]] = {}

    @property
    def card(self) -> ModelCard:
        """The card of the model in force."""
        return self._card or card_of(DEFAULT_MODEL)

    @property
    def is_open(self) -> bool:
        """Whether the record was asked for it."""
        return self._key is not None

    def open(self, record: Record) -> int:
        """Find the conversation in the record, or begin it, and take over what it says of settings not given.

        The seq of its newest turn, 0 where there is none.
        """
        create = self.create and (bool(self.user) or not self._asks_others)
        try:
            head = record.branches.open(namespace=self.namespace, id=self.id, create=create, user=self.user or "")
        except NotFound:
            if create or not self.create:
                raise
            raise _without_user() from None
        if self._asks_others and not head.user:
            raise _without_user()
        self._key, self.user = head.conversation, head.user or None
        if self._card is None and head.epoch is not None:
            self._card = card_of(head.model or head.epoch.model)
            self._check_most()
            self._meet(self._card)
        known = head.epoch.preamble if head.epoch is not None else head.brought
        has_system, has_tools = self._given
        self.preamble = Preamble(
            system=self.preamble.system if has_system else known.system,
            tools=self.preamble.tools if has_tools else known.tools,
        )
        return head.seq

    @property
    def recall(self) -> Recall | None:
        """How old turns are looked for, with what the settings leave open; None: they are not."""
        if self.recalls is None:
            return None
        wide = replace(self.recalls, scope="user") if self._others and self.user else self.recalls
        return searching(wide)

    @property
    def _asks_others(self) -> bool:
        """Whether recall was told to look into the user's other conversations."""
        return self.recalls is not None and self.recalls.scope == "user"

    # ---- what flows are given -------------------------------------------------------------------

    def chat(self, record: Record, card: ModelCard | None = None) -> Context:
        """The conversation for a flow that talks to the model of `card` (default: the one in force)."""
        assert self._key is not None  # every flow begins behind `open`
        return Context(
            store=record,
            conversation=self._key,
            id=self.id,
            namespace=self.namespace,
            user=self.user or "",
            priority=self.priority,
            max_wait=self.max_wait,
            counter=self.counter(card or self.card),
            count_online=self.count_online,
            fitted=with_smaller_pictures,
            recall=self.recall,
            instructions=self.instructions,
            standing=self._standing,
            shortcuts=self._shortcuts,
            sizes=self._sizes,
            quiet_until=self._quiet_until,
            calibrations=self._calibrations,
            routing=self.routing,
            places=self.keys.places if self.keys else None,
            ceilings=self.layers.ceilings_here,
            counter_of=self.counter,
        )

    def beside(self, record: Record) -> Asking:
        """For work in another thread, which gives way to sends: nothing that saves work is shared."""
        asking = self.asking(record, {})
        chat = replace(
            asking.chat, shortcuts=Shortcuts(), sizes={}, standing={}, calibrations={}, priority="background"
        )
        return replace(asking, chat=chat)

    # ---- the arguments of a call ----------------------------------------------------------------

    def asking(
        self, record: Record, arguments: Mapping[str, Any], *, stream: bool = False, tools: Sequence[Any] | None = None
    ) -> Asking:
        """A call with these arguments. `tools`: the functions of a run."""
        options = {name: value for name, value in arguments.items() if name not in ("timeout", "output_format")}
        timeout, wanted = arguments.get("timeout", self.options.get("timeout")), arguments.get("output_format")
        if timeout is not None:
            check_values({"timeout": timeout})
        if arguments:
            settings = self.settings(output_format=wanted, **options)
            chat = self.chat(record, settings.card)
        else:
            settings, chat = self._usual(record)
        return Asking(
            chat=chat,
            settings=settings,
            call=Call(stream=stream, timeout=timeout),
            options=options,
            format=wanted or asked_format(options) or asked_format(self.options),
            tools=tools,
        )

    def keep_lasting(self, asking: Asking) -> None:
        """Model, system, tools, thinking and effort of a call stay in force."""
        self._card, self.preamble = asking.settings.card, asking.settings.preamble
        self.cheap = asking.settings.cheap
        if asking.tools is not None:
            self.tools = asking.tools
        if asking.options.get("thinking") is not None:
            self.options = {**self.options, "thinking": plain(asking.options["thinking"])}
        effort = (plain(asking.options.get("output_config")) or {}).get("effort")
        if effort is not None:
            config = {**self.options.get("output_config", {}), "effort": effort}
            self.options = {**self.options, "output_config": config}

    def settings(
        self,
        *,
        model: str | None = None,
        system: str | Sequence[Any] | None = None,
        tools: Sequence[Any] | None = None,
        max_tokens: int | None = None,
        output_format: Any = None,
        **options: Any,
    ) -> Settings:
        """Settings for one request."""
        card = self._card_for(model)
        checked = self._options_with(options, output_format)
        given = as_tools(() if tools is None else tools)
        now, parts = self.preamble, preamble(system, given)
        if parts.system or parts.tools:
            now = Preamble(system=parts.system or now.system, tools=parts.tools or now.tools)
        if tools is not None and not list(tools) and now.tools:
            checked["tool_choice"] = {"type": "none"}  # leaving tools out would rewrite the whole prefix
        check_markers(now, checked)
        check_tools(self.strategy, now.tool_names)
        most = self.max_tokens if max_tokens is None else max_tokens
        check_numbers(max_tokens=most)
        return Settings(
            card=card,
            preamble=now,
            strategy=self.strategy,
            budget=self.budget,
            keep=min(self.keep, self.budget),
            memory=told(self),
            max_tokens=min(most, card.max_output) if max_tokens is None else most,
            marks=self.marks,
            max_result=self.max_result,
            cheap=cheap_names(given) if given else self.cheap,
            options=body_options(checked),
            betas=tuple(checked.get("betas") or ()),
            headers=dict(checked.get("extra_headers") or {}),
            beta=self.client is None or isinstance(self.client, str) or hasattr(self.client, "beta"),
        )

    def _usual(self, record: Record) -> tuple[Settings, Context]:
        """Those of a request that says nothing of its own, as most do: made anew when what is in force has changed.

        Every attribute counts, and what may change in place: a list of ceilings, and the strategies inside one.
        """
        attributes = {**vars(self), "_made": None}.values()
        inside = (*self.layers.ceilings_here, traits(self.strategy), *parts(self.strategy))
        in_force = (record, self.card, *attributes, *inside)
        known = self._made
        if known is None or len(known[0]) != len(in_force) or not all(map(is_, in_force, known[0])):
            known = self._made = in_force, (self.settings(), self.chat(record))
        return known[1]

    def _options_with(self, options: Mapping[str, Any], output_format: Any) -> dict[str, Any]:
        """The options in force with those of one call; an output format given alone leaves the effort as it is."""
        given = check_options(options, beside={*CALLS, *LASTING}, elsewhere=_elsewhere())
        check_values(given)
        config = {**self.options.get("output_config", {}), **given.get("output_config", {})}
        if output_format is not None:
            config["format"] = format_of(output_format)
        return {**self.options, **given, **({"output_config": config} if config else {})}

    def _card_for(self, model: str | None) -> ModelCard:
        if model is None or model == self.card.id:
            return self.card
        card = card_of(model)
        self._meet(card)
        return card

    def _check_most(self) -> None:
        """What was asked for must be had; the default is cut down to what the model gives."""
        if self._card is not None and self.max_tokens != DEFAULT_MAX_TOKENS:
            check_most(self.max_tokens, self._card)

    def _meet(self, *cards: ModelCard) -> None:
        """Say once which models nobody described; none without prices may be asked below a ceiling of dollars."""
        check_priced(cards, in_dollars=self.layers.in_dollars)
        for card in cards:
            if card.supposed and card.id not in self._told:
                self._told.add(card.id)
                log.warning("%s", supposition(card))

    def for_a_fork(self, id: str | None) -> dict[str, Any]:
        """The arguments of a conversation that forks off under a name (None: one made up)."""
        if id is not None:
            check_text("id", id)
        return {
            "id": id or f"{self.id}-{uuid.uuid4().hex[:8]}",
            "namespace": self.namespace,
            "user": self.user,
            "budget": self.budget,
            "memory": self.memory,
            "keep": self.keep,
            "strategy": self.strategy,
            "recall": self.recalls or False,
            "max_tokens": self.max_tokens,
            "max_result": self.max_result,
            "cache": self.marks or "auto",
            "counter": self.base,
            "count_online": self.count_online,
            "busy": "wait" if self.waits else "error",
            "background": "worker" if self.leaves_jobs else "here",
            "dedupe_window": self.dedupe_window,
            "fallback": self.routing.fallback if self.routing else None,
            "router": self.routing.route if self.routing else None,
            "tier": self.routing.tier if self.routing else "",
            "keys": self.keys,
            "card": self._card,
            "clock": self.clock,
            "priority": self.priority,
            "max_wait": self.max_wait,
            **self.layers.settings,
            **self.options,
        }


SETTINGS = frozenset({"store", *(Session.__init__.__kwdefaults__ or ())})
"""The names of all that a conversation is told when it is made, options of requests apart."""


def _without_user() -> InvalidOption:
    return InvalidOption(
        "recall scope='user' asks for a user's other conversations: say whose, Conversation(..., user=...)",
        option="scope",
        value="user",
    )


@cache
def _elsewhere() -> Mapping[str, str]:
    """What is told a conversation and not a call, with how."""
    return {name: f"it belongs to the conversation, as Conversation({name}=...)" for name in SETTINGS - LASTING}
