"""The object people build on: `Conversation`, and `AsyncConversation`, the same with `await`.

Each method starts a flow (`sash.flows`) and drives it (`sash.drive`); what both share is in `_Talk`, which
turns arguments into settings and does no I/O. Plain anthropic-SDK objects go in and out.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from sash import inspect
from sash.background import AsyncBackground, Background
from sash.claude.adapter import AsyncClaude, Claude
from sash.claude.clients import async_client, sync_client, with_middleware
from sash.claude.functions import as_tools, functions
from sash.claude.keys import Key, KeyPool, as_pool, first_client, keyed
from sash.claude.layers import Layers, flush
from sash.claude.structured import format_of, read
from sash.counting.correction import Correction
from sash.counting.estimator import Estimator
from sash.drive import AsyncRun, Performer, Run, Tell, drive, drive_async
from sash.errors import ConversationClosed, InvalidContent, InvalidOption
from sash.flows import branch, steps
from sash.flows.ask import send
from sash.flows.branch import PastRequest
from sash.flows.check import check
from sash.flows.count import count
from sash.flows.extend import extend
from sash.flows.instruct import instruct, instruction
from sash.flows.once import Submission, once
from sash.flows.prepare import Prepared, prepare
from sash.flows.recall import embed, recall, search_history
from sash.flows.route import chosen
from sash.flows.run import Tools, recorded_result, run, submit
from sash.flows.steps import Flow, Head
from sash.flows.summarise import resummarise, summarise, summariser
from sash.flows.summary_jobs import Made
from sash.flows.summary_steps import ReadSummaries
from sash.flows.talk import Chat, Sizes, noticed
from sash.model.blocks import as_blocks, dumps, plain, without_white_space
from sash.model.cards import ModelCard, Ttl
from sash.model.cards import card as card_of
from sash.model.counts import Count
from sash.model.forecast import Priority
from sash.model.options import BETA, BODY, asked_format, check_options
from sash.model.preamble import Preamble, preamble
from sash.model.replies import Reply, each
from sash.model.summaries import SummaryRecord
from sash.model.turns import Draft, Turn
from sash.planning.ahead import ahead
from sash.planning.making import Wish
from sash.planning.plan import Plan, Settings
from sash.planning.routing import Fallback, Route, Ways, as_models
from sash.planning.rules import Problem
from sash.planning.situation import Marks, Strategy
from sash.planning.strategies.summarised import Summarised, summarising
from sash.planning.view import Forms
from sash.recall import Found, Recall, make_query, quoted
from sash.spans import Spans, performer
from sash.stores import MemoryStore, SqliteStore, Store
from sash.stores.port import UsageRow
from sash.streaming import AsyncReplyStream, ReplyStream
from sash.turnstile import Turnstile, busy

R = TypeVar("R")

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_BUDGET = 32_000
DEFAULT_MAX_TOKENS = 8_192


def open_store(store: str | Path | Store | None) -> Store:
    """A store: the file at a path, a store object as it is, or None for one in memory."""
    if store is None:
        return MemoryStore()
    return SqliteStore(store) if isinstance(store, str | Path) else store


class _Talk:
    """What both conversations share: the settings in force, and flows made from arguments. No I/O."""

    _awaits: bool
    _client: Any

    def __init__(
        self,
        store: str | Path | Store | None = None,
        *,
        id: str | None = None,
        model: str | None = None,
        system: str | Sequence[Any] | None = None,
        tools: Sequence[Any] | None = None,
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
        breaker: Any = None,
        ceilings: Any = None,
        limits: Any = None,
        meter: Any = None,
        patience: float | None = None,
        priority: Priority = "interactive",
        memo: Any = None,
        retries: Any = None,
        **options: Any,
    ) -> None:
        _check_numbers(budget=budget, keep=keep, max_tokens=max_tokens)
        _check_choice("busy", busy, ("wait", "error"))
        _check_seconds("duplicates", duplicates)
        self.id = id if id is not None else uuid.uuid4().hex
        if not isinstance(self.id, str) or not self.id:
            raise InvalidOption(f"id is a non-empty string, not {id!r}", option="id", value=id)
        self.namespace = namespace
        self.budget = budget
        self.keep = keep if keep is not None else budget // 4
        self.strategy = summarising(summarise, strategy)
        self.recalls = _recalls(recall)
        self.max_tokens = max_tokens
        self._marks = _marks(cache)
        self._traced: Spans | None = None
        self._layers = Layers(
            breaker=breaker, ceilings=ceilings, limits=limits, meter=meter, memo=memo, retries=retries
        )
        _check_choice("priority", priority, ("interactive", "background"))
        self._priority, self._patience = priority, patience
        self._base, self._endpoint, self._wait = counter, endpoint, busy == "wait"
        self._duplicates = duplicates
        self._ways = _ways(fallback, router, tier)
        self._keys = as_pool(keys)
        self._places = self._keys.places if self._keys else None
        self._clock = clock
        self._create = create
        self._card = card or (card_of(model) if model else None)
        self._given_card = card
        self._tools = as_tools(tools or ())
        self._preamble = preamble(system, self._tools)
        self._preamble_given = (system is not None, tools is not None)
        self._options = check_options(options)
        self._forms = Forms()
        self._sizes: Sizes = {}
        self._quiet_until = [0.0]
        self._calibrations: dict[str, Correction] = {}
        self._counters: dict[str, Estimator] = {}
        self._key: int | None = None
        self._closed = False
        self._wish: Wish | None = None
        self._owns_store = store is None or isinstance(store, str | Path)
        _check_markers(self._preamble, self._options)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(id={self.id!r}, model={self.model!r}, budget={self.budget}, strategy={self.strategy!r})"

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
        if self._traced is None:
            self._traced = Spans(self.id, **self._layers.tracing)
        return self._traced

    def _opened(self, head: Head) -> None:
        """Take over what the record says of settings that were not given."""
        self._key = head.conversation
        if head.epoch is None:
            return
        if self._card is None:
            self._card = card_of(head.model or head.epoch.model)
        has_system, has_tools = self._preamble_given
        self._preamble = Preamble(
            system=self._preamble.system if has_system else head.epoch.preamble.system,
            tools=self._preamble.tools if has_tools else head.epoch.preamble.tools,
        )

    def _chat(self, card: ModelCard | None = None) -> Chat:
        """This conversation for a flow that talks to the model of `card` (default: the one in force)."""
        assert self._key is not None  # every flow begins behind _open
        return Chat(
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
        _check_markers(now, checked)
        most = self.max_tokens if max_tokens is None else max_tokens
        _check_numbers(max_tokens=most)
        settings = Settings(
            card=card,
            preamble=now,
            strategy=self.strategy,
            budget=self.budget,
            keep=self.keep,
            max_tokens=min(most, card.max_output) if max_tokens is None else most,
            marks=self._marks,
            options=_body_options(checked),
            betas=tuple(checked.get("betas") or ()),
            headers=dict(checked.get("extra_headers") or {}),
            beta=self._client is None or isinstance(self._client, str) or hasattr(self._client, "beta"),
        )
        return settings, lambda: self._keep_lasting(card, now, options)

    def _options_with(self, options: Mapping[str, Any], output_format: Any) -> dict[str, Any]:
        """The options in force with those of one call; an output format given alone leaves the effort as it is."""
        given = check_options(options)
        config = {**self._options.get("output_config", {}), **given.get("output_config", {})}
        if output_format is not None:
            config["format"] = format_of(output_format)
        return {**self._options, **given, **({"output_config": config} if config else {})}

    def _card_for(self, model: str | None) -> ModelCard:
        return self.card if model is None or model == self.model else card_of(model)

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
        return (Draft(role="user", content=dumps(without_white_space(as_blocks(content))), speaker=speaker),)

    def _require_open(self) -> None:
        if self._closed:
            raise ConversationClosed(f"conversation {self.id!r} is closed; open it again", conversation=self.id)

    def _open_flow(self) -> Flow[Head]:
        return (yield from steps.OpenConversation(namespace=self.namespace, id=self.id, create=self._create))

    def _send_flow(
        self, content: Any, arguments: Mapping[str, Any], arrived: float, *, stream: bool = False
    ) -> Flow[Reply]:
        """A send from arguments to reply. Lasting options last as soon as the request may be sent."""
        token = arguments.get("token")
        timeout, settings, keep_lasting = self._call(
            {k: v for k, v in arguments.items() if k not in ("token", "fresh")}
        )
        drafts, chat = self._drafts(content), replace(self._chat(settings.card), anew=bool(arguments.get("fresh")))

        def make(chat: Chat, drafts: Sequence[Draft]) -> Flow[Reply]:
            return send(chat, drafts, settings, stream=stream, timeout=timeout)

        if token is None and not self._duplicates:
            return self._lasting(make(chat, drafts), keep_lasting, arguments)
        given = Submission(
            token=token, drafts=drafts, within=self._duplicates, arrived=arrived, wait=self._wait, stream=stream
        )
        return self._lasting(once(chat, given, make), keep_lasting, arguments)

    def _lasting(self, flow: Flow[Reply], keep: Callable[[], None], arguments: Mapping[str, Any]) -> Flow[Reply]:
        """The reply, parsed where that was asked for, and what the call makes last, lasting."""
        begun: list[steps.BeginRequest] = []
        try:
            reply = yield from noticed(flow, begun.append)
        except BaseException:  # Ctrl-C too: the record knows the new system and tools from the first request on
            if begun:
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
            yield from embed(self._chat().conversation, self.recalls.semantic, go_on=lambda: not self._closed)
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
        timeout, settings, keep_lasting = self._call(arguments)
        return self._lasting(
            submit(self._chat(settings.card), results, settings, timeout=timeout), keep_lasting, arguments
        )

    def _run_flow(
        self, content: Any, tools: Sequence[Any] | None, max_steps: int, stream: bool, arguments: Mapping[str, Any]
    ) -> Flow[Reply]:
        """A run over the functions among `tools`, which stay in force as tools of any send do."""
        _check_numbers(max_steps=max_steps)
        given = self._tools if tools is None else as_tools(tools)
        timeout, settings, keep_lasting = self._call({**arguments, "tools": given or None})
        found = functions(given, waiting=self._awaits)
        if not found:
            raise InvalidOption("run() calls functions: give some as tools=[...]", option="tools", value=tools)
        by_hand = frozenset(str(tool.get("name")) for tool in settings.preamble.tool_list) - set(found)
        limits = Tools(functions=found, by_hand=by_hand, max_steps=max_steps, stream=stream, timeout=timeout)
        drafts = () if content is None else self._drafts(content)

        def keep() -> None:
            keep_lasting()
            self._tools = given

        return self._lasting(run(self._chat(settings.card), drafts, settings, limits), keep, arguments)

    def _call(self, arguments: Mapping[str, Any]) -> tuple[float | None, Settings, Callable[[], None]]:
        """The timeout and the settings of one call, and what makes the lasting ones last."""
        timeout = arguments.get("timeout", self._options.get("timeout"))
        return timeout, *self._settings(**{k: v for k, v in arguments.items() if k != "timeout"})

    def _plan_flow(self, content: Any, arguments: Mapping[str, Any]) -> Flow[Prepared]:
        settings, _ = self._settings(**arguments)
        drafts = self._drafts(content)
        chat, settings = yield from chosen(replace(self._chat(settings.card), endpoint=False), drafts, settings)
        return (yield from prepare(chat, drafts, settings))

    def _check_flow(self, repair: bool) -> Flow[list[Problem]]:
        settings, _ = self._settings()
        return check(self._chat(), settings, repair=repair)

    def _count_flow(self, content: Any, exact: bool, arguments: Mapping[str, Any]) -> Flow[Count]:
        settings, _ = self._settings(**arguments)
        drafts = () if content is None else self._drafts(content)
        return count(self._chat(settings.card), drafts, settings, exact=exact)

    def _again_flow(self, make: Callable[[Chat, Settings], Flow[Reply]], arguments: Mapping[str, Any]) -> Flow[Reply]:
        settings, keep_lasting = self._settings(**arguments)
        return self._lasting(make(self._chat(settings.card), settings), keep_lasting, arguments)

    def _recall_flow(self, query: str, settings: Mapping[str, Any]) -> Flow[list[Found]]:
        if not isinstance(query, str):
            raise InvalidContent(f"a query is a string, not {type(query).__name__}", problem="content-type")
        chat = self._chat()
        return recall(chat.conversation, make_query(query), _recall_settings(settings), chat.counter, self.model)

    def _redact_flow(self, turn: int, reason: str) -> Flow[int]:
        now = yield from steps.Now()
        done = yield from steps.Redact(conversation=self._chat().conversation, turn=turn, reason=reason, at=now)
        self._forms, self._sizes = Forms(), {}
        return done

    def _history_flow(self, query: str) -> Flow[str]:
        """What Claude finds when it searches: quoted, without the exchange that runs."""
        chat, settings = self._chat(), self.recalls or Recall()
        found = yield from search_history(chat, make_query(query), settings, self.model)
        return quoted(found) or "Nothing was found."

    def _extend_flow(self, messages: Iterable[Any]) -> Flow[Sequence[Turn]]:
        return extend(self._chat(), tuple(_draft(message) for message in messages))

    def _fork_settings(self, id: str | None) -> dict[str, Any]:
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


class Conversation(_Talk):
    """A conversation with a memory, kept in a SQLite file (or any store).

    `store`: a path, a store, or None for memory. `id`: names the conversation in it; None makes one up.
    `model`, `system`, `tools`: as the SDK takes them; not given, they are what the record says was last in
    force. `budget`: the most prompt tokens of a request; `keep`: the recent tokens that always stay verbatim
    (default budget / 4). `strategy`: what leaves the view, and when (default `Economic()`: by price). `summarise`:
    True, a model's id or `Summarised(...)`: what leaves is summarised first, in the background. `recall`: a
    `Recall`, or True for its defaults: what left the view and answers a new question is attached to it. `cache`:
    "auto" leaves the lifetime of markers to the strategy; "5m", "1h" or `Marks` fix it; None marks nothing.
    `client`: an `Anthropic` client, "simulator", or None for one from the environment (made at the first
    request). `endpoint`: whether count-tokens may be asked when an estimate is not sure enough.
    `create=False`: the conversation must exist already. `duplicates`: seconds in which the same text again gets the
    first one's reply. `fallback`: models to ask when this one cannot, or a `sash.planning.routing.Fallback`. `router`
    chooses the model of every request (`Router`, or any callable from `Asked`); `tier` tells it who asks. `keys`:
    several API keys (`sash.claude.keys.Key`) or a `KeyPool`: the conversation sticks to one and moves when that is out.

    What acts per attempt is switched on by one argument each, as values or as middleware shared with other clients.
    `limits`: `sash.limits.Limits`, a tier's name ("start", "build", "scale") or True (learned from headers): requests
    wait their turn, "background" `priority` behind "interactive", up to `patience` seconds (None: any time).
    `ceilings`: one or more `sash.limits.Ceiling` of dollars or tokens, or `Ceilings` that say what happens there.
    `memo`: True or `sash.limits.MemoPolicy` answers identical requests from memory, where no tools are offered.
    `retries`: True or `sash.limits.RetryPolicy` keeps the SDK's retries within reason. `breaker`: True or
    `BreakerPolicy` fails fast while a model is down. `meter`: True, `Alerts` or a `Meter` writes every attempt down.

    Further options are those of `messages.create` and apply to every send.

    Raises CallerErrors for what cannot work, StoreErrors for a file that cannot be opened.
    """

    _awaits = False

    def __init__(self, store: str | Path | Store | None = None, **settings: Any) -> None:
        self._client = settings.pop("client", None)
        self._owns_client = self._client is None
        super().__init__(store, **settings)
        self._store = open_store(store)
        self._claude: Claude | None = None
        self._turnstile = Turnstile(self.id, wait=self._wait)
        self._background = Background(f"sash {self.id}")
        try:
            self._opened(drive(self._open_flow(), self._performer()))
            self._catch_up()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the conversation, and what it opened itself: its store, its client from the environment."""
        self._closed = True
        self._background.stop()
        if self._claude is not None:
            flush(self._claude.client)
        if self._owns_client and self._claude is not None:
            self._claude.client.close()
        if self._owns_store:
            self._store.close()

    # ---- talking --------------------------------------------------------------------------------

    def send(self, content: Any, **options: Any) -> Reply:
        """Say something and wait for the reply.

        `content`: a string, SDK blocks, or a user message. `options`: those of `messages.create`, plus
        `model`, `system`, `tools`, `max_tokens` (in force from then on, as are thinking and effort), and
        `output_format`, a pydantic class: then `reply.parsed` is an object of it (else ReplyUnparsed, all recorded).
        `token`: the client's own name for this submission; the same one again gets the first reply, whoever asks.
        `fresh=True`: the reply does not come from the memo.
        Raises CallerErrors before anything is sent or written, RemoteErrors with the turn safe in the record.
        """
        arrived = self._clock()
        return self._alone(lambda: self._send_flow(content, options, arrived))

    def stream(self, content: Any, **options: Any) -> ReplyStream:
        """Say something and get the reply as it comes: `with chat.stream("...") as s: for text in s: ...`."""

        arrived = self._clock()

        def start() -> Run:
            self._require_open()
            self._turnstile.enter()
            try:
                return Run(self._send_flow(content, options, arrived, stream=True), self._talker())
            except BaseException:
                self._turnstile.leave()
                raise

        return ReplyStream(start, self._leave)

    def submit(self, results: Any, **options: Any) -> Reply:
        """Answer the tool calls of the newest reply, all in one user turn, and wait for the next reply.

        `results`: `tool_result` blocks, or a mapping from call id to a result (text, blocks, any JSON value, or the
        exception that came instead). A call without a result is answered with an error. Raises InvalidContent,
        with nothing written, for ids that no open call has.
        """
        return self._alone(lambda: self._submit_flow(results, options))

    def run(
        self,
        content: Any = None,
        *,
        tools: Sequence[Any] | None = None,
        max_steps: int = 20,
        on_event: Tell | None = None,
        **options: Any,
    ) -> Reply:
        """Say something and call the functions Claude asks for until it is done; the last reply.

        `tools`: typed functions, function tools of the SDK, or definitions (a call to one of those ends the run, for
        `submit`); default: those in force. `max_steps`: the most requests. `on_event`: called with the SDK's events
        of every reply as they come, and with a `RunEvent` for each reply and each result; what it raises ends the
        run. What a function raises goes to Claude as an error result. Usage, cost and latency are those of the
        whole run, `reply.steps` has its replies. Without content, a run that was left goes on.
        """
        return self._alone(
            lambda: self._run_flow(content, tools, max_steps, on_event is not None, options), tell=on_event
        )

    def retry(self, **options: Any) -> Reply:
        """Send what is pending again, or ask again after a reply cut short. Raises NothingToRetry."""
        return self._alone(lambda: self._again_flow(branch.retry, options))

    def regenerate(self, **options: Any) -> Reply:
        """Ask the newest question again, on a branch of its own; the first answer stays in the record."""
        return self._alone(lambda: self._again_flow(branch.regenerate, options))

    def edit(self, turn: Turn | int, content: Any, **options: Any) -> Reply:
        """Say `content` in the place of a user turn (a `Turn` or its id), on a branch of its own."""
        drafts = self._drafts(content)
        return self._alone(
            lambda: self._again_flow(lambda chat, s: branch.edit(chat, _turn_id(turn), drafts, s), options)
        )

    def check(self, *, repair: bool = False) -> list[Problem]:
        """What an imported or damaged history has wrong: the record by its rules, and the next request.

        `repair` takes the turns at fault out of the view (they stay in the record), so that the next send is legal;
        what was wrong is returned. Problems that are only notes (an unknown block type) are left as they are.
        """
        return self._alone(lambda: self._check_flow(repair), talk=False)

    def plan(self, content: Any, **options: Any) -> Plan:
        """What would the request look like? Asks Claude nothing, writes nothing."""
        prepared: Prepared = self._do(lambda: self._plan_flow(content, options))
        return prepared.plan

    def count(self, content: Any = None, *, exact: bool = False, **options: Any) -> Count:
        """Tokens of the request that would send `content` (None: of the view as it stands), with provenance.

        `exact` asks the count-tokens endpoint (free, but a request). Nothing is written.
        """
        performer = self._talker if exact else self._performer
        self._require_open()
        return drive(self._count_flow(content, exact, options), performer())

    # ---- looking back ---------------------------------------------------------------------------

    def history(self, *, limit: int | None = None, after: int = 0) -> list[Turn]:
        """The turns of the present branch after seq `after`, oldest first; `limit` takes the newest ones."""
        step = steps.ReadTurns(conversation=self._chat().conversation, after=after, limit=limit, newest=True)
        return list(self._do(step.__iter__))

    def recall(self, query: str, **settings: Any) -> list[Found]:
        """Turns of this conversation that answer `query`, by words and (`semantic`) by meaning, the best first.

        Settings are those of `sash.recall.Recall`: `tokens` that quoting them may take in all, `neighbours`, `words`,
        `semantic` (True for the small embedder of the extra `semantic`, or an `Embedder` of yours; what has no vector
        yet is embedded first). An empty query finds nothing. Raises InvalidOption, MissingExtra.
        """
        return self._do(lambda: self._recall_flow(query, settings))

    def request(self, number: int) -> PastRequest:
        """A past request rebuilt from the record, byte for byte. Raises NotFound."""
        return self._do(lambda: branch.past_request(self._chat(), number))

    def usage(self) -> UsageRow:
        """Tokens and dollars of this conversation so far."""
        self._require_open()
        return _sum(self._store.usage(by=(), namespace=self.namespace, conversation=self.id))

    def recall_result(self, call: str) -> Any:
        """The whole recorded result of a tool call by the call's id: text or blocks. Raises NotFound."""
        return self._do(lambda: recorded_result(self._chat(), call))

    def recall_tool(self) -> Any:
        """A function tool by which Claude reads a cleared result again: give it to `run` with your own tools."""

        def recall_result(tool_use_id: str) -> Any:
            """Read the whole result of an earlier tool call that was cleared to save context.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
            """
            return self.recall_result(tool_use_id)

        return as_tools([recall_result])[0]

    def search_tool(self) -> Any:
        """A function tool by which Claude searches this conversation itself: give it to `run` with your own tools."""

        def search_history(query: str) -> str:
            """Search everything said earlier in this conversation, also what is no longer shown.

            Args:
                query: what to look for, in words likely to have been used
            """
            return self._do(lambda: self._history_flow(query))

        return as_tools([search_history])[0]

    def redact(self, turn: Turn | int, *, reason: str = "") -> int:
        """Take the words of a turn out of the record for good, on a user's request; how many turns it were.

        Turns that repeat it (`regenerate`) go along, and its entries in the indexes, attachments that quote it and
        summaries that cover it. A gap stays in its place, `reason` in the audit (table `forgotten`). Raises NotFound.
        """
        return self._alone(lambda: self._redact_flow(_turn_id(turn), reason), talk=False)

    def summaries(self) -> list[SummaryRecord]:
        """The summaries of this branch in the order they were made, each with its sources, cost and report."""
        step = ReadSummaries(conversation=self._chat().conversation)
        return list(self._do(step.__iter__))

    def resummarise(self, *, by: str | None = None, tokens: int | None = None) -> SummaryRecord:
        """Make the newest summary again from the record itself; the earlier one is kept.

        `by`: the model that reads; `tokens`: the most it may have (default: those of the strategy). It stands in the
        view from the next cut on, if its `state` is ready. Raises NotFound without a summary, ConversationBusy while
        one is being made, RemoteErrors.
        """
        self._require_open()
        return drive(self._resummarise_flow(by, tokens), self._talker())

    def settle(self) -> None:
        """Wait until what is done in the background (a summary) is done. For tests, replays and the end of a script."""
        self._background.settle()

    def fork(self, at: Turn | int | None = None, *, id: str | None = None) -> Conversation:
        """A new conversation that shares the past up to the reply `at` (default: the newest)."""
        settings = self._fork_settings(id)
        where = None if at is None else _turn_id(at)
        self._do(lambda: branch.fork(self._chat(), where, settings["id"]))
        return Conversation(self._store, client=None if self._owns_client else self._client, **settings)

    def pin(self, turn: Turn | int, *, pinned: bool = True) -> None:
        """Keep the exchange that holds `turn` in every request, from the next cut on at the latest."""
        key = self._chat().conversation
        self._do(lambda: steps.SetPin(conversation=key, turn=_turn_id(turn), pinned=pinned).__iter__())

    def instruct(self, content: Any) -> Turn:
        """Give an instruction that is in force from the next send on, without touching the cached prefix.

        `content`: text, or text blocks. Recorded as a turn of role system; sent behind what the user says next, as
        tagged user text where the model takes no such turns (`plan.notes` says so), and again after each cut.
        """
        return self._alone(lambda: instruct(self._chat(), content), talk=False)

    def withdraw(self) -> int:
        """Take pending turns out of the view for good; they stay in the record. How many there were."""
        return self._alone(lambda: steps.Withdraw(conversation=self._chat().conversation).__iter__(), talk=False)

    def extend(self, messages: Iterable[Any]) -> Sequence[Turn]:
        """Record messages that were said elsewhere (`MessageParam`s or `Draft`s), without sending anything."""
        return self._alone(lambda: self._extend_flow(messages), talk=False)

    def describe(self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Give the conversation a title, or app metadata."""
        self._require_open()
        self._store.describe(self.id, namespace=self.namespace, title=title, metadata=metadata)

    def _repr_html_(self) -> str:
        return inspect.conversation_html(self)

    # ---- driving --------------------------------------------------------------------------------

    def _performer(self) -> Performer:
        return performer(self._spans, self._store, self._claude, self._clock, self._background.settle)

    def _talker(self) -> Performer:
        """A performer with a client; made late, so that looking at a conversation needs no key."""
        if self._claude is None:
            self._client = sync_client(first_client(self._keys, self._client, waits=False))
            client = with_middleware(self._client, self._layers.middleware(self._store))
            self._claude = Claude(client, keyed(self._keys, client), whose=(self.namespace, self.id))
        return self._performer()

    def _do(self, flow: Callable[[], Flow[R]]) -> R:
        self._require_open()
        return drive(flow(), self._performer())

    def _alone(self, flow: Callable[[], Flow[R]], *, talk: bool = True, tell: Tell | None = None) -> R:
        """Drive a flow that appends: one at a time."""
        self._require_open()
        performer = self._talker() if talk else self._performer()
        self._turnstile.enter()
        try:
            return drive(flow(), performer, tell)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._turnstile.leave()
        self._catch_up()

    def _catch_up(self) -> None:
        """Begin what is due in the background."""
        if (due := self._due()) is not None:
            self._background.start(lambda: drive(due(), self._performer()))


class AsyncConversation(_Talk):
    """The same as `Conversation`, with `await`; the store works in a thread, off the event loop.

    Nothing is opened before the first `await`. Use it as `async with AsyncConversation(...) as chat`.
    """

    _awaits = True

    def __init__(self, store: str | Path | Store | None = None, **settings: Any) -> None:
        self._client = settings.pop("client", None)
        self._owns_client = self._client is None
        super().__init__(store, **settings)
        self._where = store
        self._store: Store | None = None
        self._claude: AsyncClaude | None = None
        self._lock = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._holder: Any = None
        self._background = AsyncBackground(f"sash {self.id}")

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the conversation, and what it opened itself: its store, its client from the environment."""
        self._closed = True
        await self._background.stop()
        if self._claude is not None:
            await asyncio.to_thread(flush, self._claude.client)
        if self._owns_client and self._claude is not None:
            await self._claude.client.close()
        if self._owns_store and self._store is not None:
            await asyncio.to_thread(self._store.close)

    # ---- talking --------------------------------------------------------------------------------

    async def send(self, content: Any, **options: Any) -> Reply:
        """Say something and wait for the reply. See `Conversation.send`."""
        arrived = self._clock()
        return await self._alone(lambda: self._send_flow(content, options, arrived))

    def stream(self, content: Any, **options: Any) -> AsyncReplyStream:
        """Say something and get the reply as it comes: `async with chat.stream("...") as s: async for text in s`."""

        arrived = self._clock()

        async def start() -> AsyncRun:
            await self._open()
            self._make_client()
            await self._enter()
            try:
                return AsyncRun(
                    self._send_flow(content, options, arrived, stream=True), self._performer().perform_async
                )
            except BaseException:
                self._leave()
                raise

        return AsyncReplyStream(start, self._leave)

    async def submit(self, results: Any, **options: Any) -> Reply:
        """Answer the tool calls of the newest reply. See `Conversation.submit`."""
        return await self._alone(lambda: self._submit_flow(results, options))

    async def run(
        self,
        content: Any = None,
        *,
        tools: Sequence[Any] | None = None,
        max_steps: int = 20,
        on_event: Tell | None = None,
        **options: Any,
    ) -> Reply:
        """Say something and call the functions Claude asks for. See `Conversation.run`.

        Coroutine functions are awaited, plain ones work in a thread; `on_event` may be either.
        """
        return await self._alone(
            lambda: self._run_flow(content, tools, max_steps, on_event is not None, options), tell=on_event
        )

    async def retry(self, **options: Any) -> Reply:
        """Send what is pending again, or ask again after a reply cut short. Raises NothingToRetry."""
        return await self._alone(lambda: self._again_flow(branch.retry, options))

    async def regenerate(self, **options: Any) -> Reply:
        """Ask the newest question again, on a branch of its own; the first answer stays in the record."""
        return await self._alone(lambda: self._again_flow(branch.regenerate, options))

    async def edit(self, turn: Turn | int, content: Any, **options: Any) -> Reply:
        """Say `content` in the place of a user turn (a `Turn` or its id), on a branch of its own."""
        drafts = self._drafts(content)
        return await self._alone(
            lambda: self._again_flow(lambda chat, s: branch.edit(chat, _turn_id(turn), drafts, s), options)
        )

    async def check(self, *, repair: bool = False) -> list[Problem]:
        """What an imported or damaged history has wrong, and its repair. See `Conversation.check`."""
        return await self._alone(lambda: self._check_flow(repair), talk=False)

    async def plan(self, content: Any, **options: Any) -> Plan:
        """What would the request look like? Asks Claude nothing, writes nothing."""
        prepared: Prepared = await self._do(lambda: self._plan_flow(content, options))
        return prepared.plan

    async def count(self, content: Any = None, *, exact: bool = False, **options: Any) -> Count:
        """Tokens of the request that would send `content`, or of the view. See `Conversation.count`."""
        await self._open()
        if exact:
            self._make_client()
        return await self._do(lambda: self._count_flow(content, exact, options))

    # ---- looking back ---------------------------------------------------------------------------

    async def history(self, *, limit: int | None = None, after: int = 0) -> list[Turn]:
        """The turns of the present branch after seq `after`, oldest first; `limit` takes the newest ones."""
        found: Sequence[Turn] = await self._do(
            lambda: steps.ReadTurns(
                conversation=self._chat().conversation, after=after, limit=limit, newest=True
            ).__iter__()
        )
        return list(found)

    async def recall(self, query: str, **settings: Any) -> list[Found]:
        """Turns of this conversation that answer `query`. See `Conversation.recall`."""
        return await self._do(lambda: self._recall_flow(query, settings))

    async def request(self, number: int) -> PastRequest:
        """A past request rebuilt from the record, byte for byte. Raises NotFound."""
        return await self._do(lambda: branch.past_request(self._chat(), number))

    async def usage(self) -> UsageRow:
        """Tokens and dollars of this conversation so far."""
        store = await self._open()
        return _sum(await asyncio.to_thread(store.usage, by=(), namespace=self.namespace, conversation=self.id))

    async def recall_result(self, call: str) -> Any:
        """The whole recorded result of a tool call. See `Conversation.recall_result`."""
        return await self._do(lambda: recorded_result(self._chat(), call))

    def recall_tool(self) -> Any:
        """A function tool by which Claude reads a cleared result again. See `Conversation.recall_tool`."""

        async def recall_result(tool_use_id: str) -> Any:
            """Read the whole result of an earlier tool call that was cleared to save context.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
            """
            return await self.recall_result(tool_use_id)

        return as_tools([recall_result])[0]

    def search_tool(self) -> Any:
        """A function tool by which Claude searches this conversation itself. See `Conversation.search_tool`."""

        async def search_history(query: str) -> str:
            """Search everything said earlier in this conversation, also what is no longer shown.

            Args:
                query: what to look for, in words likely to have been used
            """
            return await self._do(lambda: self._history_flow(query))

        return as_tools([search_history])[0]

    async def redact(self, turn: Turn | int, *, reason: str = "") -> int:
        """Take the words of a turn out of the record for good. See `Conversation.redact`."""
        return await self._alone(lambda: self._redact_flow(_turn_id(turn), reason), talk=False)

    async def summaries(self) -> list[SummaryRecord]:
        """The summaries of this branch. See `Conversation.summaries`."""
        found: Sequence[SummaryRecord] = await self._do(
            lambda: ReadSummaries(conversation=self._chat().conversation).__iter__()
        )
        return list(found)

    async def resummarise(self, *, by: str | None = None, tokens: int | None = None) -> SummaryRecord:
        """Make the newest summary again from the record itself. See `Conversation.resummarise`."""
        await self._open()
        self._make_client()
        return await self._do(lambda: self._resummarise_flow(by, tokens))

    async def settle(self) -> None:
        """Wait until what is done in the background (a summary) is done."""
        await self._background.settle()

    async def fork(self, at: Turn | int | None = None, *, id: str | None = None) -> AsyncConversation:
        """A new conversation that shares the past up to the reply `at` (default: the newest)."""
        settings = self._fork_settings(id)
        where = None if at is None else _turn_id(at)
        await self._do(lambda: branch.fork(self._chat(), where, settings["id"]))
        return AsyncConversation(self._store, client=None if self._owns_client else self._client, **settings)

    async def pin(self, turn: Turn | int, *, pinned: bool = True) -> None:
        """Keep the exchange that holds `turn` in every request, from the next cut on at the latest."""
        await self._do(
            lambda: steps.SetPin(conversation=self._chat().conversation, turn=_turn_id(turn), pinned=pinned).__iter__()
        )

    async def instruct(self, content: Any) -> Turn:
        """Give an instruction that is in force from the next send on. See `Conversation.instruct`."""
        return await self._alone(lambda: instruct(self._chat(), content), talk=False)

    async def withdraw(self) -> int:
        """Take pending turns out of the view for good; they stay in the record. How many there were."""
        return await self._alone(lambda: steps.Withdraw(conversation=self._chat().conversation).__iter__(), talk=False)

    async def extend(self, messages: Iterable[Any]) -> Sequence[Turn]:
        """Record messages that were said elsewhere (`MessageParam`s or `Draft`s), without sending anything."""
        return await self._alone(lambda: self._extend_flow(messages), talk=False)

    async def describe(self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Give the conversation a title, or app metadata."""
        store = await self._open()
        await asyncio.to_thread(store.describe, self.id, namespace=self.namespace, title=title, metadata=metadata)

    # ---- driving --------------------------------------------------------------------------------

    async def _open(self) -> Store:
        """Open store and conversation, once."""
        self._require_open()
        async with self._opening:
            if self._store is None:
                self._store = await asyncio.to_thread(open_store, self._where)
            if self._key is None:
                self._opened(await drive_async(self._open_flow(), self._performer().perform_async))
                self._catch_up()
        return self._store

    def _performer(self) -> Performer:
        return performer(self._spans, self._store, self._claude, self._clock, self._background.settle)

    def _make_client(self) -> None:
        if self._claude is None:
            self._client = async_client(first_client(self._keys, self._client, waits=True))
            client = with_middleware(self._client, self._layers.middleware(self._store))
            self._claude = AsyncClaude(client, keyed(self._keys, client), whose=(self.namespace, self.id))

    async def _do(self, flow: Callable[[], Flow[R]]) -> R:
        await self._open()
        return await drive_async(flow(), self._performer().perform_async)

    async def _alone(self, flow: Callable[[], Flow[R]], *, talk: bool = True, tell: Tell | None = None) -> R:
        await self._open()
        if talk:
            self._make_client()
        await self._enter()
        try:
            return await drive_async(flow(), self._performer().perform_async, tell)
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self._lock.locked() and (not self._wait or self._holder is asyncio.current_task()):
            raise busy(self.id)
        await self._lock.acquire()
        self._holder = asyncio.current_task()

    def _leave(self) -> None:
        self._holder = None
        self._lock.release()
        self._catch_up()

    def _catch_up(self) -> None:
        """Begin what is due in the background."""
        if (due := self._due()) is not None:
            self._background.start(lambda: drive_async(due(), self._performer().perform_async))


def _check_numbers(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < (0 if name == "keep" else 1):
            raise InvalidOption(f"{name}={value!r}: give a whole number of tokens above 0", option=name, value=value)
    budget, keep = numbers.get("budget"), numbers.get("keep")
    if budget is not None and keep is not None and keep > budget:
        raise InvalidOption(f"keep={keep} cannot be more than budget={budget}", option="keep", value=keep)


def _ways(fallback: Sequence[str] | Fallback | None, router: Route | None, tier: str) -> Ways | None:
    """Who else may answer. Raises InvalidOption, and UnknownModel for a name without a card."""
    if router is not None and not callable(router):
        raise InvalidOption(
            f"router={router!r:.60}: give a Router, or a function from Asked to a model id",
            option="router",
            value=router,
        )
    others = fallback if isinstance(fallback, Fallback) else Fallback(models=as_models(fallback))
    if router is None and not others.models:
        return None
    names = (*others.models, *getattr(router, "models", ()))
    return Ways(fallback=others, route=router, tier=tier, cards={name: card_of(name) for name in names})


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidOption(f"{name}={value!r}: give seconds, 0 for none", option=name, value=value)


def _check_choice(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise InvalidOption(f"{name}={value!r}: choose one of {', '.join(known)}", option=name, value=value)


def _check_markers(now: Preamble, options: Mapping[str, Any]) -> None:
    by_hand = now.markers + ("cache_control" in options)
    if by_hand > 4:
        raise InvalidOption(
            f"{by_hand} cache markers placed by hand; the API takes at most 4, and sash needs one or two of them",
            option="cache_control",
            value=by_hand,
        )


def _marks(cache: Ttl | Marks | str | None) -> Marks | None:
    """The lifetimes asked for; None: left to the strategy."""
    if isinstance(cache, Marks):
        return cache
    if cache is None:
        return Marks(preamble=None, tail=None)
    _check_choice("cache", cache, ("auto", "5m", "1h"))
    return None if cache == "auto" else Marks(preamble=cache, tail=cache)  # type: ignore[arg-type]


def _body_options(checked: Mapping[str, Any]) -> dict[str, Any]:
    """The options that go into the body, in a fixed order: the same options give the same bytes."""
    body = {name: checked[name] for name in (*BODY, *BETA) if name in checked}
    return {**body, **(checked.get("extra_body") or {})}


def _draft(message: Any) -> Draft:
    if isinstance(message, Draft):
        return message
    found = plain(message)
    if not isinstance(found, dict) or found.get("role") not in ("user", "assistant", "system"):
        raise InvalidContent(f"not a message of user, assistant or system: {message!r:.80}", problem="role")
    if found["role"] == "system":
        return instruction(found.get("content") or "")
    return Draft(role=found["role"], content=dumps(as_blocks(found.get("content") or "")))


def _recalls(recall: Recall | bool | None) -> Recall | None:
    if isinstance(recall, Recall):
        return recall
    if recall is None or isinstance(recall, bool):
        return Recall() if recall else None
    raise InvalidOption(f"recall={recall!r}: give a Recall, True or None", option="recall", value=recall)


def _recall_settings(settings: Mapping[str, Any]) -> Recall:
    known = [field.name for field in fields(Recall)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InvalidOption(
            f"recall takes {', '.join(known)}, not {unknown[0]!r}",
            option=unknown[0],
            value=settings[unknown[0]],
        )
    return Recall(**settings)


def _turn_id(turn: Turn | int) -> int:
    return turn.id if isinstance(turn, Turn) else turn


def _sum(rows: Sequence[UsageRow]) -> UsageRow:
    empty = UsageRow(group=(), requests=0, fresh=0, read=0, written=0, output=0, dollars=0.0)
    return rows[0] if rows else empty
