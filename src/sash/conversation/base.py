"""What both conversations share: flows made of arguments, over a session (`sash.conversation.session`). No I/O.

`Conversation` and `AsyncConversation` add a store, a client and a way to drive a flow, and nothing else.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sash.claude.clients import check_client
from sash.claude.functions import as_tools, functions, name_of
from sash.claude.structured import read
from sash.conversation.arguments import check_flag, check_listener, check_text, drafts_of
from sash.conversation.callers import waiting
from sash.conversation.drivers import asked
from sash.conversation.memory import searching
from sash.conversation.session import Asking, Session
from sash.conversation.tracing import Spans
from sash.errors import ConversationClosed, InvalidContent, InvalidOption, StoreError
from sash.flows import steps
from sash.flows.context import Context
from sash.flows.distil import WORTH_IT, distil
from sash.flows.history import branch
from sash.flows.history.branch import PastRequest, past_request
from sash.flows.history.check import check
from sash.flows.history.elsewhere import recall_elsewhere
from sash.flows.history.extend import extend
from sash.flows.history.recall import embed, recall, search_history
from sash.flows.left import embedding_job, profile_job, summary_job
from sash.flows.order import in_order
from sash.flows.profile import Profile
from sash.flows.record import Record
from sash.flows.request.count import count
from sash.flows.request.deliver import deliver
from sash.flows.request.idempotency import Submission, once
from sash.flows.request.prepare import Prepared, prepare
from sash.flows.request.route import chosen
from sash.flows.steps import Flow
from sash.flows.summaries.jobs import SummaryResult
from sash.flows.summaries.summarise import resummarise, summarise, summariser
from sash.flows.tools.results import part_of, places_in, recorded_result
from sash.flows.tools.run import Tools, run, submit
from sash.model.cards import ModelCard
from sash.model.counts import Count
from sash.model.fitting import check_whole
from sash.model.frozen import with_fields
from sash.model.jobs import LeftJob
from sash.model.leases import Ticket
from sash.model.replies import Reply, each
from sash.model.summaries import SummaryRecord
from sash.model.turns import Draft, Turn
from sash.model.values import short
from sash.planning.rules import Problem
from sash.planning.situation import Strategy
from sash.planning.strategies.summarised import Summarised
from sash.planning.summaries.cost import SummaryRequest
from sash.planning.summaries.timing import ahead
from sash.recall import Embedder, Found, Query, Recall, make_query, quoted
from sash.stores import Store
from sash.stores.around import around
from sash.stores.port import UsageRow
from sash.types import MemoryMode

log = logging.getLogger("sash")

EMBEDDED = 32
"""Turns without a vector, from which they are embedded beside the conversation: a search embeds fewer itself."""
WORDS_ALONE = Recall(semantic=False)
"""How old turns are looked for by hand where none are for questions: nobody embeds them, so by words."""

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


def as_told(
    told: Callable[Concatenate[Session, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Whatever a session is told, a conversation is: for editors, type checkers and `inspect.signature` as well."""

    def signed(made: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        made.__wrapped__ = told  # type: ignore[attr-defined]
        return made

    return signed


class InSession(Generic[T]):
    """An attribute of a conversation that is one of its session, and may be set at any time."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, chat: Any, owner: type | None = None) -> T:
        return self if chat is None else getattr(chat._session, self._name)  # type: ignore[return-value]

    def __set__(self, chat: Any, value: T) -> None:
        setattr(chat._session, self._name, value)


class ConversationBase:
    """What both conversations share: a session, and the flows that their methods make."""

    _awaits: bool

    budget = InSession[int]()
    keep = InSession[int]()
    max_tokens = InSession[int]()
    strategy = InSession[Strategy]()
    recalls = InSession["Recall | None"]()

    @as_told(Session.__init__)
    def __init__(self, *given: Any, **settings: Any) -> None:
        session = Session(*given, **settings)
        check_client(session.client, waits=self._awaits)
        self._session, self._clock = session, session.clock
        self.id, self.namespace = session.id, session.namespace
        self._client, self._owns_client = session.client, session.client is None
        self._owns_store = session.store is None or isinstance(session.store, str | Path)
        self._spans_made: Spans | None = None
        self._closed = False
        self._wish: SummaryRequest | None = None
        self._newest = self._embedded = 0
        """seqs: of the newest turn that is known of, and of the one up to which turns were embedded, or are being so"""
        self._unread = WORTH_IT
        self._begin(session.store)

    def _begin(self, store: str | Path | Store | None) -> None:
        """Get ready to talk, once all settings are checked: the one thing that differs for sync and async."""
        raise NotImplementedError

    def __repr__(self) -> str:
        name = type(self).__name__
        shown = f"id={short(self.id, 40)}, model={short(self.model, 27)}, budget={self.budget}, memory={self.memory!r}"
        return f"{name}({shown})"

    @property
    def user(self) -> str | None:
        """Whose the conversation is: as given or, once it is open, as recorded; None for nobody's."""
        return self._session.user

    @property
    def model(self) -> str:
        """The model's id in force."""
        return self.card.id

    @property
    def memory(self) -> MemoryMode:
        """How much is remembered, in a word; `strategy`, `keep` and `recalls` are what it comes to."""
        return self._session.memory

    @property
    def card(self) -> ModelCard:
        """The card of the model in force: window, prices, features."""
        return self._session.card

    def _spans(self) -> Spans | None:
        """Spans are made where a meter is on."""
        if not self._session.layers.meter:
            return None
        if self._spans_made is None:
            self._spans_made = Spans(self.id, **self._session.layers.tracing)
        return self._spans_made

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

    def _chat(self) -> Context:
        """This conversation, for a flow that sends nothing."""
        return self._session.chat(self._record())

    def _asking(
        self, arguments: Mapping[str, Any], *, stream: bool = False, tools: Sequence[Any] | None = None
    ) -> Asking:
        """A call with these arguments."""
        return self._session.asking(self._record(), arguments, stream=stream, tools=tools)

    def _in_order(self, make: Callable[[], Flow[R]], caller: str) -> Flow[R]:
        """A flow that writes to the conversation, made and driven when it is its turn."""
        chat = self._chat()
        ticket = Ticket(conversation=chat.conversation, token=uuid.uuid4().hex, caller=caller, within=waiting())
        return (yield from in_order(chat, ticket, make, waits=self._session.waits))

    def _send_flow(
        self, content: Any, arguments: Mapping[str, Any], arrived: float, *, stream: bool = False
    ) -> Flow[Reply]:
        bypass_memo = arguments.get("bypass_memo", False)
        check_flag("bypass_memo", bypass_memo)
        options = {name: value for name, value in arguments.items() if name not in ("token", "bypass_memo")}
        asking = self._asking(options, stream=stream)
        chat, drafts = asking.chat, asking.question(content)
        if bypass_memo:
            chat = with_fields(chat, bypass_memo=True)
        given = self._submission(arguments.get("token"), drafts, arrived)

        def ask(chat: Context, drafts: Sequence[Draft]) -> Flow[Reply]:
            return deliver(chat, drafts, asking.settings, asking.call)

        flow = ask(chat, drafts) if given is None else once(chat, given, ask, stream=asking.call.stream)
        return self._answer(flow, asking)

    def _submission(self, token: Any, drafts: Sequence[Draft], arrived: float) -> Submission | None:
        """What makes it recognisable when it comes again; None where nothing does."""
        within, waits = self._session.dedupe_window, self._session.waits
        if token is None and not within:
            return None
        if token is not None:
            check_text("token", token)
        return Submission(token=token, drafts=tuple(drafts), within=within, arrived=arrived, wait=waits)

    def _answer(self, flow: Flow[Reply], asking: Asking) -> Flow[Reply]:
        """The reply, parsed where that was asked for; what the call makes last, lasts from its first request on."""
        try:
            reply = yield from flow
        except BaseException:  # Ctrl-C too: the record knows the new system and tools by then
            if asking.call.begun:
                self._session.keep_lasting(asking)
            raise
        self._session.keep_lasting(asking)
        self._wish = self._foreseen(reply)
        self._note(each(reply)[-1].turn)
        self._unread += _said(reply)
        self._leave_jobs()
        return read(reply, asking.format)

    def _foreseen(self, reply: Reply) -> SummaryRequest | None:
        """The summary that the next request may need, where the strategy makes any."""
        own, last = summariser(self.strategy), each(reply)[-1]
        if own is None or last.plan is None or last.tool_calls:
            return None
        if self._session.leaves_jobs:
            own = replace(own, warm=False)  # a worker has not what the chat's own prefix is made of
        recalls = self.recalls if last.plan.epoch.first_seq > 1 else None
        return ahead(last.plan, last.usage, own, recalls.tokens + self._session.instructions if recalls else 0)

    def _note(self, newest: Turn | None) -> None:
        """What is known of how far the record goes; on another branch it may be less far than before."""
        self._newest = newest.seq if newest else self._newest
        self._embedded = min(self._embedded, self._newest)

    def _model_due(self) -> Callable[[], Flow[Any]] | None:
        """What a model is to do beside the conversation now, if anything: a summary, reading what the user said."""
        if self._session.leaves_jobs:
            return None
        wish, distiller = self._wanted()
        if self._closed or not (wish or distiller):
            return None
        return lambda: self._model_flow(wish, distiller)

    def _wanted(self) -> tuple[SummaryRequest | None, str]:
        """The summary that is to be made now, and the model that is to read what the user said; not asked for twice."""
        wish, self._wish = self._wish, None
        distils = self._distiller and (wish is not None or self._unread > WORTH_IT)
        self._unread = 0 if distils else self._unread
        return wish, self._distiller if distils else ""

    def _model_flow(self, wish: SummaryRequest | None, distiller: str) -> Flow[Any]:
        """Make the summary that is due, then have the user's words read."""
        if wish is not None:
            yield from self._summary_flow(wish)
        if distiller:
            beside = self._session.beside(self._record())
            yield from distil(beside.chat, beside.settings, distiller, least=0 if wish else WORTH_IT)

    @property
    def _distiller(self) -> str:
        """The model that reads what the user said, for their profile; "" for none."""
        own = summariser(self.strategy)
        return own.by if own and own.ahead and self.user and self._session.distils else ""

    def _embedding_due(self) -> Callable[[], Flow[int]] | None:
        """The turns that are to be embedded beside the conversation now, if they are many enough."""
        embedder = False if self._session.leaves_jobs or self._closed else self._embedder_due()
        return (lambda: asked(lambda: self._embed(embedder))) if embedder else None

    def _embedder_due(self) -> bool | Embedder:
        """What is to embed the turns that have no vector, if they are many enough; not asked for twice."""
        recall = self._session.recall
        if recall is None or not recall.semantic or self._newest - self._embedded < EMBEDDED:
            return False
        self._embedded = self._newest
        return recall.semantic

    def _leave_jobs(self) -> None:
        """Say in the record what is to be done beside the conversation, where workers do that.

        What could not be said now is found again at the next reply: nothing is taken back of the one that has come.
        """
        if not self._session.leaves_jobs:
            return
        (wish, distiller), embedder = self._wanted(), self._embedder_due()
        chat, own, left = self._chat(), summariser(self.strategy), list[LeftJob]()
        if wish is not None and own is not None:
            left.append(summary_job(wish, own, budget=self.budget, counter=self._session.base))
        if distiller:
            left.append(profile_job(distiller, least=0 if wish else WORTH_IT))
        if embedder:
            left.append(embedding_job("" if embedder is True else embedder.name))
        if left:
            try:
                chat.store.jobs.leave(chat.conversation, left, at=self._clock())
            except StoreError as error:
                log.warning("%s were not left to workers: %s", [one.kind for one in left], type(error).__name__)

    def _embed(self, embedder: bool | Embedder) -> int:
        """Give all turns the vectors by which they are found, until the conversation is closed."""
        return embed(self._chat(), embedder, go_on=lambda: not self._closed)

    def _summary_flow(self, wish: SummaryRequest) -> Flow[SummaryResult]:
        beside = self._session.beside(self._record())
        return summarise(beside.chat, beside.settings, summariser(self.strategy) or Summarised(), wish)

    def _resummarise_flow(self, by: str | None, tokens: int | None) -> Flow[SummaryRecord]:
        beside, own = self._session.beside(self._record()), summariser(self.strategy) or Summarised()
        own = replace(own, by=by or own.by, tokens=tokens or own.tokens)
        return resummarise(beside.chat, beside.settings, own)

    def _submit_flow(self, results: Any, arguments: Mapping[str, Any]) -> Flow[Reply]:
        asking = self._asking(arguments)
        return self._answer(submit(asking.chat, results, asking.settings, asking.call), asking)

    def _run_flow(
        self,
        content: Any,
        tools: Sequence[Any] | None,
        max_steps: int,
        on_event: Callable[..., Any] | None,
        arguments: Mapping[str, Any],
        arrived: float,
    ) -> Flow[Reply]:
        """A run over the functions among `tools`, which stay in force as tools of any send do."""
        check_whole("max_steps", max_steps, of="requests")
        check_listener(on_event)
        given = self._run_tools(tools)
        token = arguments.get("token")
        if token is not None and content is None:
            raise InvalidOption("token names what is said: give content, too", option="token", value=token)
        with_tools = {**arguments, "tools": given or None}
        with_tools.pop("token", None)
        asking = self._asking(with_tools, stream=on_event is not None, tools=given)
        found = functions(given, waiting=self._awaits)
        if not found:
            raise InvalidOption("run() calls functions: give some as tools=[...]", option="tools", value=tools)
        by_hand = frozenset(asking.settings.preamble.tool_names) - set(found)
        limits = Tools(functions=found, by_hand=by_hand, max_steps=max_steps)
        drafts = () if content is None else asking.question(content)
        said = self._submission(token, drafts, arrived) if drafts else None

        def ask(chat: Context, drafts: Sequence[Draft]) -> Flow[Reply]:
            return run(chat, drafts, asking.settings, asking.call, limits)

        if said is None:
            return self._answer(ask(asking.chat, drafts), asking)
        return self._answer(once(asking.chat, said, ask, stream=asking.call.stream, goes_on=True), asking)

    def result_tools(self) -> list[Any]:
        """See the conversations."""
        raise NotImplementedError

    def _run_tools(self, tools: Sequence[Any] | None) -> Sequence[Any]:
        """The tools of a run; with those that read on in results, where these are sent shortened."""
        given = self._session.tools if tools is None else as_tools(tools)
        if self._session.max_result is None or not given:
            return given
        known = {name_of(tool) for tool in given}
        return [*given, *(tool for tool in self.result_tools() if name_of(tool) not in known)]

    def _retry_flow(self, arguments: Mapping[str, Any], *, stream: bool = False) -> Flow[Reply]:
        asking = self._asking(arguments, stream=stream)
        return self._answer(branch.retry(asking.chat, asking.settings, asking.call), asking)

    def _regenerate_flow(self, arguments: Mapping[str, Any], *, stream: bool = False) -> Flow[Reply]:
        asking = self._asking(arguments, stream=stream)
        return self._answer(branch.regenerate(asking.chat, asking.settings, asking.call), asking)

    def _edit_flow(self, turn: int, content: Any, arguments: Mapping[str, Any], *, stream: bool = False) -> Flow[Reply]:
        asking = self._asking(arguments, stream=stream)
        drafts = asking.question(content)
        return self._answer(branch.edit(asking.chat, turn, drafts, asking.settings, asking.call), asking)

    def _plan_flow(self, content: Any, arguments: Mapping[str, Any]) -> Flow[Prepared]:
        asking = self._asking(arguments)
        drafts = asking.question(content)
        chat, settings = yield from chosen(with_fields(asking.chat, count_online=False), drafts, asking.settings)
        return (yield from prepare(chat, drafts, settings))

    def _check_flow(self, repair: bool) -> Flow[list[Problem]]:
        check_flag("repair", repair)
        if repair:
            self._session.forget_forms()
        asking = self._asking({})
        return check(asking.chat, asking.settings, mend=repair)

    def _count_flow(self, content: Any, exact: bool, arguments: Mapping[str, Any]) -> Flow[Count]:
        check_flag("exact", exact)
        asking = self._asking(arguments)
        drafts = () if content is None else asking.question(content)
        return count(asking.chat, drafts, asking.settings, exact=exact)

    def _summaries(self) -> list[SummaryRecord]:
        chat = self._chat()
        return list(chat.store.summaries.read(chat.conversation))

    def _pin(self, turn: int, pinned: bool) -> None:
        chat = self._chat()
        chat.store.turns.pin(chat.conversation, turn=turn, pinned=pinned)

    def _withdraw(self) -> int:
        chat = self._chat()
        return chat.store.turns.withdraw(chat.conversation)

    def _found(self, query: str, settings: Mapping[str, Any]) -> list[Found]:
        if not isinstance(query, str):
            raise InvalidContent(f"a query is a string, not {type(query).__name__}", problem="content-type")
        usual = self.recalls or WORDS_ALONE
        wanted = searching(Recall(**{"zone": usual.zone, "semantic": usual.semantic, **settings}))
        if wanted.scope == "user":
            self._owner()
        if settings.get("semantic"):
            self._embed(settings["semantic"])
        chat, meant = self._chat(), self._query(query, wanted)
        own = recall(chat, meant, wanted, self.model)
        if wanted.scope == "user":
            own += recall_elsewhere(chat, meant, wanted, self.model, without={one.turn.id for one in own})
        return own

    def _owner(self) -> str:
        """The conversation's user. Raises InvalidOption where it is nobody's."""
        if self.user is None:
            raise InvalidOption(
                "this conversation is nobody's: say whose it is, Conversation(..., user=...)", option="user", value=None
            )
        return self.user

    def _profile(self) -> Profile:
        """The profile of the conversation's user. Raises InvalidOption where it is nobody's."""
        return Profile(self._record(), self._owner(), namespace=self.namespace)

    def _page(self, after: int, limit: int | None) -> list[Turn]:
        if limit is not None:
            check_whole("limit", limit, least=0, of="turns")
        check_whole("after", after, least=0, of="turns (the seq of the last one left out)")
        chat = self._chat()
        return list(chat.store.turns.read(chat.conversation, after=after, limit=limit, newest=True))

    def _past_request(self, number: int) -> PastRequest:
        check_whole("number", number, of="requests (which one of this conversation)")
        return past_request(self._chat(), number)

    def _result(self, call: str) -> Any:
        check_text("call", call)
        return recorded_result(self._chat(), call)

    def _part_of_result(self, call: str, start: int, end: int | None) -> Any:
        return part_of(call, self._result(call), start, end)

    def _found_in_result(self, call: str, query: str) -> str:
        return places_in(call, self._result(call), query)

    def _redact_flow(self, turn: int, reason: str) -> Flow[int]:
        check_text("reason", reason)
        chat, now = self._chat(), (yield from steps.Now())
        done = chat.store.forgetting.redact(chat.conversation, turn=turn, reason=reason, at=now)
        self._session.forget_forms()
        return done

    def _found_in_history(self, query: str) -> str:
        """What Claude finds when it searches: quoted, without the exchange that runs."""
        chat, settings = self._chat(), self._session.recall or WORDS_ALONE
        found = search_history(chat, self._query(query, settings), settings, self.model)
        return quoted(found, settings.timezone) or "Nothing was found."

    def _query(self, text: str, settings: Recall) -> Query:
        return make_query(text, now=self._clock(), zone=settings.timezone)

    def _extend_flow(self, messages: Iterable[Any]) -> Flow[Sequence[Turn]]:
        session = self._session
        turns = yield from extend(self._chat(), drafts_of(messages), session.preamble, max_result=session.max_result)
        self._note(turns[-1] if turns else None)
        self._leave_jobs()
        return turns


def _said(reply: Reply) -> int:
    """Characters of what the user said last."""
    plan = each(reply)[-1].plan
    return next((len(turn.text) for turn in reversed(plan.turns) if turn.plain), 0) if plan else 0


def usage_sum(rows: Sequence[UsageRow]) -> UsageRow:
    """What a conversation came to; zeros where nothing was sent."""
    empty = UsageRow(group=(), requests=0, fresh=0, read=0, written=0, output=0, dollars=0.0)
    return rows[0] if rows else empty
