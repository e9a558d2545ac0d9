"""What both conversations share: the settings in force, and flows made of arguments. No I/O.

`Conversation` and `AsyncConversation` add a store, a client and a way to drive a flow, and nothing else.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from sash.arguments import (
    Setting,
    body_options,
    card_for,
    check_choice,
    check_clock,
    check_flag,
    check_listener,
    check_markers,
    check_most,
    check_numbers,
    check_patience,
    check_priced,
    check_recall,
    check_seconds,
    check_text,
    check_tokens,
    check_whole,
    drafts_of,
    marks_of,
    recall_of,
    ways_of,
)
from sash.claude.clients import check_client
from sash.claude.functions import as_tools, functions
from sash.claude.keys import Key, KeyPool, as_pool
from sash.claude.options import check_values
from sash.claude.structured import format_of, read
from sash.counting.correction import Correction
from sash.counting.estimator import Estimator
from sash.errors import ConversationClosed, InvalidContent, InvalidOption
from sash.files import with_files
from sash.flows import steps
from sash.flows.branch import PastRequest, past_request
from sash.flows.check import check
from sash.flows.count import count
from sash.flows.deliver import deliver
from sash.flows.extend import extend
from sash.flows.once import Submission, once
from sash.flows.prepare import Prepared, prepare
from sash.flows.recall import embed, recall, search_history
from sash.flows.record import Record
from sash.flows.route import chosen
from sash.flows.run import Tools, recorded_result, run, submit
from sash.flows.send import Call
from sash.flows.steps import Flow
from sash.flows.summarise import resummarise, summarise, summariser
from sash.flows.summary_jobs import Made
from sash.flows.talk import Chat, Sizes
from sash.limits.layers import Layers
from sash.model.blocks import as_blocks, dumps, plain, without_white_space
from sash.model.cards import ModelCard, Ttl, supposition
from sash.model.cards import card as card_of
from sash.model.counts import Count
from sash.model.forecast import Priority
from sash.model.functions import is_result, made_sendable
from sash.model.options import asked_format, check_options
from sash.model.preamble import Preamble, preamble
from sash.model.replies import Reply, each
from sash.model.summaries import SummaryRecord
from sash.model.turns import Draft, Turn
from sash.model.values import short
from sash.model.window import Head
from sash.planning.inputs import Settings
from sash.planning.routing import Fallback, Route
from sash.planning.rules import Problem
from sash.planning.situation import Marks, Strategy
from sash.planning.strategies.summarised import Summarised, summarising
from sash.planning.summaries.cost import Wish
from sash.planning.summaries.timing import ahead
from sash.planning.traits import check_strategy
from sash.planning.view import Forms
from sash.recall import Found, Recall, make_query, quoted
from sash.spans import Spans
from sash.stores import Store, check_store
from sash.stores.around import around
from sash.types import RequestOptions, System, ToolList

if TYPE_CHECKING:
    from sash.claude.middleware import Breaker, Ceilings, Limiter, Memo, Meter, Retries
    from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy, RetryPolicy

log = logging.getLogger("sash")

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_BUDGET = 32_000
DEFAULT_MAX_TOKENS = 8_192

CALLS = {
    "output_format": "it belongs to one call, as send(..., output_format=)",
    "token": "it belongs to one call, as send(..., token=)",
    "fresh": "it belongs to one call, as send(..., fresh=)",
    "max_steps": "it belongs to a run, as run(..., max_steps=)",
    "on_event": "it belongs to a run, as run(..., on_event=)",
}
"""What is given to a call beside the options of a request, and never to a conversation as a whole."""


class ConversationBase:
    """What both conversations share: the settings in force, and flows made from arguments. No I/O."""

    _awaits: bool
    _client: Any

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
        budget: int = DEFAULT_BUDGET,
        keep: int | None = None,
        strategy: Strategy | None = None,
        summarise: bool | str | Summarised = False,
        recall: Recall | bool | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        cache: Ttl | Marks | Literal["auto"] | None = "auto",
        namespace: str = "",
        counter: Literal["auto", "ctok", "tiktoken", "features"] = "auto",
        endpoint: bool = True,
        busy: Literal["wait", "error"] = "wait",
        duplicates: float = 0.0,
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
        patience: float | None = None,
        priority: Priority = "interactive",
        memo: MemoPolicy | Memo | bool | None = None,
        retries: RetryPolicy | Retries | bool | None = None,
        **options: Unpack[RequestOptions],
    ) -> None:
        check_numbers(budget=budget, keep=keep, max_tokens=max_tokens)
        check_store(store)
        check_client(client, waits=self._awaits)
        check_choice("busy", busy, ("wait", "error"))
        check_choice("counter", counter, ("auto", "ctok", "tiktoken", "features"))
        check_choice("priority", priority, ("interactive", "background"))
        check_seconds("duplicates", duplicates)
        check_patience(patience)
        check_text("namespace", namespace)
        check_flag("endpoint", endpoint)
        check_flag("create", create)
        check_clock(clock)
        self.id = id if id is not None else uuid.uuid4().hex
        check_text("id", self.id)
        if not self.id:
            raise InvalidOption("id='': give a name, or None for one made up", option="id", value=id)
        self.namespace = namespace
        self.budget = budget
        self.keep = keep if keep is not None else budget // 4
        self.strategy = summarising(summarise, strategy)
        self.recalls = recall_of(recall)
        self.max_tokens = max_tokens
        self._marks = marks_of(cache)
        self._spans_made: Spans | None = None
        self._layers = Layers(
            breaker=breaker, ceilings=ceilings, limits=limits, meter=meter, memo=memo, retries=retries
        )
        self._priority, self._patience = priority, patience
        self._base, self._endpoint, self._wait = counter, endpoint, busy == "wait"
        self._duplicates = duplicates
        self._ways = ways_of(fallback, router, tier)
        self._keys = as_pool(keys)
        self._places = self._keys.places if self._keys else None
        self._clock = clock
        self._create = create
        self._card = card_for(card, model)
        self._told: set[str] = set()
        self._check_most()
        self._meet(*filter(None, [self._card]), *(self._ways.cards.values() if self._ways else ()))
        self._tools = as_tools(() if tools is None else tools)
        self._preamble = preamble(system, self._tools)
        self._preamble_given = (system is not None, tools is not None)
        self._options = check_options(options, beside=SETTINGS, elsewhere=CALLS)
        check_values(self._options)
        self._forms = Forms()
        self._sizes: Sizes = {}
        self._quiet_until = [0.0]
        self._calibrations: dict[str, Correction] = {}
        self._counters: dict[str, Estimator] = {}
        self._key: int | None = None
        self._closed = False
        self._wish: Wish | None = None
        self._client, self._owns_client = client, client is None
        self._owns_store = store is None or isinstance(store, str | Path)
        check_markers(self._preamble, self._options)
        self._begin(store)

    def _begin(self, store: str | Path | Store | None) -> None:
        """Get ready to talk, once all settings are checked: the one thing that differs for sync and async."""
        raise NotImplementedError

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(id={short(self.id, 40)}, model={short(self.model, 27)}, budget={self.budget})"

    @property
    def model(self) -> str:
        """The model's id in force."""
        return self.card.id

    @property
    def card(self) -> ModelCard:
        """The card of the model in force: window, prices, features."""
        return self._card or card_of(DEFAULT_MODEL)

    # ---- from arguments to settings -------------------------------------------------------------

    def _spans(self) -> Spans | None:
        """Spans are made where a meter is on."""
        if not self._layers.meter:
            return None
        if self._spans_made is None:
            self._spans_made = Spans(self.id, **self._layers.tracing)
        return self._spans_made

    def _opened(self, head: Head) -> None:
        """Take over what the record says of settings that were not given."""
        self._key = head.conversation
        if self._card is None and head.epoch is not None:
            self._card = card_of(head.model or head.epoch.model)
            self._check_most()
            self._meet(self._card)
        known = head.epoch.preamble if head.epoch is not None else head.brought
        has_system, has_tools = self._preamble_given
        self._preamble = Preamble(
            system=self._preamble.system if has_system else known.system,
            tools=self._preamble.tools if has_tools else known.tools,
        )

    def _chat(self, card: ModelCard | None = None) -> Chat:
        """This conversation for a flow that talks to the model of `card` (default: the one in force)."""
        assert self._key is not None  # every flow begins behind _open
        return Chat(
            store=self._record(),
            conversation=self._key,
            id=self.id,
            namespace=self.namespace,
            priority=self._priority,
            patience=self._patience,
            counter=self._counter(card or self.card),
            endpoint=self._endpoint,
            recall=self.recalls,
            forms=self._forms,
            sizes=self._sizes,
            quiet_until=self._quiet_until,
            calibrations=self._calibrations,
            ways=self._ways,
            places=self._places,
            ceilings=self._layers.ceilings_here,
            counter_of=self._counter,
        )

    def _counter(self, card: ModelCard) -> Estimator:
        if card.id not in self._counters:
            self._counters[card.id] = Estimator.for_model(card, base=self._base)
        return self._counters[card.id]

    def _settings(
        self,
        *,
        model: str | None = None,
        system: str | Sequence[Any] | None = None,
        tools: Sequence[Any] | None = None,
        max_tokens: int | None = None,
        output_format: Any = None,
        **options: Any,
    ) -> tuple[Settings, Callable[[], None]]:
        """Settings for one request, and what makes the lasting ones last once it may be sent."""
        card = self._card_for(model)
        checked = self._options_with(options, output_format)
        parts = preamble(system, None if tools is None else as_tools(tools))
        now = Preamble(system=parts.system or self._preamble.system, tools=parts.tools or self._preamble.tools)
        if tools is not None and not list(tools) and now.tools:
            checked["tool_choice"] = {"type": "none"}  # leaving tools out would rewrite the whole prefix
        check_markers(now, checked)
        most = self.max_tokens if max_tokens is None else max_tokens
        check_numbers(max_tokens=most)
        settings = Settings(
            card=card,
            preamble=now,
            strategy=self.strategy,
            budget=self.budget,
            keep=min(self.keep, self.budget),
            max_tokens=min(most, card.max_output) if max_tokens is None else most,
            marks=self._marks,
            options=body_options(checked),
            betas=tuple(checked.get("betas") or ()),
            headers=dict(checked.get("extra_headers") or {}),
            beta=self._client is None or isinstance(self._client, str) or hasattr(self._client, "beta"),
        )
        return settings, lambda: self._keep_lasting(card, now, options)

    def _options_with(self, options: Mapping[str, Any], output_format: Any) -> dict[str, Any]:
        """The options in force with those of one call; an output format given alone leaves the effort as it is."""
        given = check_options(options, beside={*CALLS, *_LASTING}, elsewhere=_elsewhere())
        check_values(given)
        config = {**self._options.get("output_config", {}), **given.get("output_config", {})}
        if output_format is not None:
            config["format"] = format_of(output_format)
        return {**self._options, **given, **({"output_config": config} if config else {})}

    def _card_for(self, model: str | None) -> ModelCard:
        if model is None or model == self.model:
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
        check_priced(cards, in_dollars=self._layers.in_dollars)
        for card in cards:
            if card.supposed and card.id not in self._told:
                self._told.add(card.id)
                log.warning("%s", supposition(card))

    def _keep_lasting(self, card: ModelCard, now: Preamble, options: Mapping[str, Any]) -> None:
        """Model, system, tools, thinking and effort stay in force for the next sends."""
        self._card, self._preamble = card, now
        if options.get("thinking") is not None:
            self._options["thinking"] = plain(options["thinking"])
        effort = (plain(options.get("output_config")) or {}).get("effort")
        if effort is not None:
            self._options["output_config"] = {**self._options.get("output_config", {}), "effort": effort}

    def _drafts(self, content: Any, speaker: str | None = None) -> tuple[Draft, ...]:
        """A user turn from what the SDK takes as content, or from a whole user message."""
        if isinstance(content, Mapping) and "role" in content:
            if content["role"] != "user":
                raise InvalidContent(
                    f"a send says what the user says; a message of role {content['role']!r} cannot be sent. "
                    "Use system= for the system prompt",
                    problem="role",
                )
            content = content.get("content")
        content = with_files(content)
        if isinstance(content, list):
            content = [made_sendable(block) if is_result(block) else block for block in content]
        return (Draft(role="user", content=dumps(without_white_space(as_blocks(content))), speaker=speaker),)

    def _require_open(self) -> None:
        if self._closed:
            raise ConversationClosed(f"conversation {self.id!r} is closed; open it again", conversation=self.id)

    def _record(self) -> Record:
        """The store as flows see it."""
        raise NotImplementedError

    def _traced(self, store: Store) -> Record:
        """A store whose calls leave spans, where those are wanted."""
        spans = self._spans()
        return store if spans is None else around(store, spans.around_call)

    def _find(self) -> Head:
        return self._record().open_conversation(namespace=self.namespace, id=self.id, create=self._create)

    def _send_flow(
        self, content: Any, arguments: Mapping[str, Any], arrived: float, *, stream: bool = False
    ) -> Flow[Reply]:
        """A send from arguments to reply. Lasting options last as soon as the request may be sent."""
        token, anew = arguments.get("token"), arguments.get("fresh", False)
        check_flag("fresh", anew)
        if token is not None:
            check_text("token", token)
        call, settings, keep_lasting = self._call(
            {k: v for k, v in arguments.items() if k not in ("token", "fresh")}, stream=stream
        )
        drafts, chat = self._drafts(content), replace(self._chat(settings.card), anew=anew)
        if token is None and not self._duplicates:
            flow = deliver(chat, drafts, settings, call)
        else:
            given = Submission(token=token, drafts=drafts, within=self._duplicates, arrived=arrived, wait=self._wait)
            flow = once(chat, given, settings, call)
        return self._lasting(flow, call, keep_lasting, arguments)

    def _lasting(
        self, flow: Flow[Reply], call: Call, keep: Callable[[], None], arguments: Mapping[str, Any]
    ) -> Flow[Reply]:
        """The reply, parsed where that was asked for, and what the call makes last, lasting."""
        try:
            reply = yield from flow
        except BaseException:  # Ctrl-C too: the record knows the new system and tools from the first request on
            if call.begun:
                keep()
            raise
        keep()
        self._wish = self._foreseen(reply)
        return read(reply, arguments.get("output_format") or asked_format(arguments) or asked_format(self._options))

    def _foreseen(self, reply: Reply) -> Wish | None:
        """The summary that the next request may need, where the strategy makes any."""
        own, last = summariser(self.strategy), each(reply)[-1]
        if own is None or last.plan is None or last.tool_calls:
            return None
        return ahead(last.plan, last.usage, own)

    def _due(self) -> Callable[[], Flow[Any]] | None:
        """What is to be done in the background now, if anything."""
        wish, self._wish = self._wish, None
        embeds = self.recalls is not None and bool(self.recalls.semantic)
        return None if self._closed or not (wish or embeds) else lambda: self._background_flow(wish)

    def _background_flow(self, wish: Wish | None) -> Flow[Any]:
        """Embed what has no vector yet, then make the summary that is due."""
        if self.recalls is not None and self.recalls.semantic:
            embed(self._chat(), self.recalls.semantic, go_on=lambda: not self._closed)
        if wish is not None:
            yield from self._summary_flow(wish)

    def _summary_flow(self, wish: Wish) -> Flow[Made]:
        settings, _ = self._settings()
        own = summariser(self.strategy) or Summarised()
        return summarise(self._beside(settings), settings, own, wish)

    def _resummarise_flow(self, by: str | None, tokens: int | None) -> Flow[SummaryRecord]:
        settings, _ = self._settings()
        own = summariser(self.strategy) or Summarised()
        return resummarise(self._beside(settings), settings, replace(own, by=by or own.by, tokens=tokens or own.tokens))

    def _beside(self, settings: Settings) -> Chat:
        """This conversation for work in another thread, which gives way to sends: nothing that saves work is shared."""
        return replace(self._chat(settings.card), forms=Forms(), sizes={}, calibrations={}, priority="background")

    def _submit_flow(self, results: Any, arguments: Mapping[str, Any]) -> Flow[Reply]:
        call, settings, keep_lasting = self._call(arguments)
        flow = submit(self._chat(settings.card), results, settings, call)
        return self._lasting(flow, call, keep_lasting, arguments)

    def _run_flow(
        self,
        content: Any,
        tools: Sequence[Any] | None,
        max_steps: int,
        on_event: Callable[..., Any] | None,
        arguments: Mapping[str, Any],
    ) -> Flow[Reply]:
        """A run over the functions among `tools`, which stay in force as tools of any send do."""
        check_whole("max_steps", max_steps, of="requests")
        check_listener(on_event)
        given = self._tools if tools is None else as_tools(tools)
        call, settings, keep_lasting = self._call({**arguments, "tools": given or None}, stream=on_event is not None)
        found = functions(given, waiting=self._awaits)
        if not found:
            raise InvalidOption("run() calls functions: give some as tools=[...]", option="tools", value=tools)
        by_hand = frozenset(str(tool.get("name")) for tool in settings.preamble.tool_list) - set(found)
        limits = Tools(functions=found, by_hand=by_hand, max_steps=max_steps)
        drafts = () if content is None else self._drafts(content)

        def keep() -> None:
            keep_lasting()
            self._tools = given

        flow = run(self._chat(settings.card), drafts, settings, call, limits)
        return self._lasting(flow, call, keep, arguments)

    def _call(self, arguments: Mapping[str, Any], *, stream: bool = False) -> tuple[Call, Settings, Callable[[], None]]:
        """How one call is sent, under which settings, and what makes the lasting ones last."""
        timeout = arguments.get("timeout", self._options.get("timeout"))
        if timeout is not None:
            check_values({"timeout": timeout})
        found = self._settings(**{k: v for k, v in arguments.items() if k != "timeout"})
        return Call(stream=stream, timeout=timeout), *found

    def _plan_flow(self, content: Any, arguments: Mapping[str, Any]) -> Flow[Prepared]:
        settings, _ = self._settings(**arguments)
        drafts = self._drafts(content)
        chat, settings = yield from chosen(replace(self._chat(settings.card), endpoint=False), drafts, settings)
        return (yield from prepare(chat, drafts, settings))

    def _check_flow(self, repair: bool) -> Flow[list[Problem]]:
        check_flag("repair", repair)
        settings, _ = self._settings()
        if repair:
            self._forms, self._sizes = Forms(), {}  # turns may be sent in another form from now on
        return check(self._chat(), settings, mend=repair)

    def _count_flow(self, content: Any, exact: bool, arguments: Mapping[str, Any]) -> Flow[Count]:
        check_flag("exact", exact)
        settings, _ = self._settings(**arguments)
        drafts = () if content is None else self._drafts(content)
        return count(self._chat(settings.card), drafts, settings, exact=exact)

    def _again_flow(
        self, make: Callable[[Chat, Settings, Call], Flow[Reply]], arguments: Mapping[str, Any]
    ) -> Flow[Reply]:
        call, settings, keep_lasting = self._call(arguments)
        return self._lasting(make(self._chat(settings.card), settings, call), call, keep_lasting, arguments)

    def _summaries(self) -> list[SummaryRecord]:
        chat = self._chat()
        return list(chat.store.read_summaries(chat.conversation))

    def _pin(self, turn: int, pinned: bool) -> None:
        chat = self._chat()
        chat.store.set_pin(chat.conversation, turn=turn, pinned=pinned)

    def _withdraw(self) -> int:
        chat = self._chat()
        return chat.store.withdraw(chat.conversation)

    def _found(self, query: str, settings: Mapping[str, Any]) -> list[Found]:
        if not isinstance(query, str):
            raise InvalidContent(f"a query is a string, not {type(query).__name__}", problem="content-type")
        return recall(self._chat(), make_query(query), Recall(**settings), self.model)

    def _page(self, after: int, limit: int | None) -> list[Turn]:
        if limit is not None:
            check_whole("limit", limit, least=0, of="turns")
        check_whole("after", after, least=0, of="turns (the seq of the last one left out)")
        chat = self._chat()
        return list(chat.store.read_turns(chat.conversation, after=after, limit=limit, newest=True))

    def _past_request(self, number: int) -> PastRequest:
        check_whole("number", number, of="requests (which one of this conversation)")
        return past_request(self._chat(), number)

    def _result(self, call: str) -> Any:
        check_text("call", call)
        return recorded_result(self._chat(), call)

    def _redact_flow(self, turn: int, reason: str) -> Flow[int]:
        check_text("reason", reason)
        chat, now = self._chat(), (yield from steps.Now())
        done = chat.store.redact(chat.conversation, turn=turn, reason=reason, at=now)
        self._forms, self._sizes = Forms(), {}
        return done

    def _found_in_history(self, query: str) -> str:
        """What Claude finds when it searches: quoted, without the exchange that runs."""
        chat, settings = self._chat(), self.recalls or Recall()
        found = search_history(chat, make_query(query), settings, self.model)
        return quoted(found) or "Nothing was found."

    def _extend_flow(self, messages: Iterable[Any]) -> Flow[Sequence[Turn]]:
        return extend(self._chat(), drafts_of(messages), self._preamble)

    def _fork_settings(self, id: str | None) -> dict[str, Any]:
        if id is not None:
            check_text("id", id)
        return {
            "id": id or f"{self.id}-{uuid.uuid4().hex[:8]}",
            "namespace": self.namespace,
            "budget": self.budget,
            "keep": self.keep,
            "strategy": self.strategy,
            "recall": self.recalls,
            "max_tokens": self.max_tokens,
            "cache": self._marks or "auto",
            "counter": self._base,
            "endpoint": self._endpoint,
            "busy": "wait" if self._wait else "error",
            "duplicates": self._duplicates,
            "fallback": self._ways.fallback if self._ways else None,
            "router": self._ways.route if self._ways else None,
            "tier": self._ways.tier if self._ways else "",
            "keys": self._keys,
            "card": self._card,
            "clock": self._clock,
            "priority": self._priority,
            "patience": self._patience,
            **self._layers.settings,
            **self._options,
        }


SETTINGS = frozenset({"store", "client", *(ConversationBase.__init__.__kwdefaults__ or ())})
"""The names of all that a conversation is told when it is made, options of requests apart."""
_LASTING = {"model", "system", "tools", "max_tokens"}


@cache
def _elsewhere() -> Mapping[str, str]:
    """What is told a conversation and not a call, with how."""
    return {name: f"it belongs to the conversation, as Conversation({name}=...)" for name in SETTINGS - _LASTING}
