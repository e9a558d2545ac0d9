"""`sash.fit`: the planner without a record, for people who keep their own history.

    fitted = sash.fit(messages, model="claude-sonnet-5-5", budget=32_000, now=time.time(), state=state)
    message = client.messages.create(**fitted.request)
    state = fitted.state                            # JSON: keep it with the messages, hand it in next time

The same planning as a `Conversation`'s, over a window made of the messages themselves: a legal body within the budget,
with cache markers, whose view only grows between cuts. Pure: no file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any, Unpack

from sash.conversation.arguments import check_numbers, draft_of
from sash.conversation.fit_state import FitState, replied
from sash.conversation.session import DEFAULT_MAX_TOKENS, Session
from sash.counting.estimator import Estimator
from sash.errors import InvalidContent, InvalidOption
from sash.flows.request.exact_count import by_bound
from sash.flows.request.load import remember
from sash.flows.request.prepare import REACH
from sash.flows.request.sizes import size
from sash.model.blocks import plain, without_white_space
from sash.model.counts import Count
from sash.model.options import BETA
from sash.model.turns import Draft, State, Turn, as_turns, last_spoken
from sash.model.window import Head, Loaded
from sash.planning.history.arrival import arriving
from sash.planning.history.paused import paused
from sash.planning.inputs import Settings
from sash.planning.plan import Plan, make_plan
from sash.planning.rules import VERSION, Problem, check_request
from sash.planning.situation import Strategy
from sash.planning.traits import traits
from sash.types import RequestOptions, System, ToolList


@dataclass(frozen=True, kw_only=True)
class Unsent:
    """Messages that are not sent as they were handed in."""

    first: int
    """index of the first of them in `messages`"""
    last: int
    """index of the last"""
    why: str


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What to send of a list of messages. Nothing has been sent."""

    body: dict[str, Any]
    """the body of the request, as it goes on the wire"""
    betas: tuple[str, ...]
    """what its header `anthropic-beta` has to name: a run of tools that outgrows the budget may need beta features"""
    left_out: tuple[Unsent, ...]
    """oldest first"""
    state: dict[str, Any]
    """JSON values, to be handed in next time"""
    plan: Plan
    """the decision, with its numbers: `plan.prompt`, `plan.expected.dollars`, `plan.cut`"""

    @property
    def request(self) -> dict[str, Any]:
        """What `client.messages.create(**request)` takes: the body, and headers and beta fields where there are any."""
        body = {name: value for name, value in self.body.items() if name not in BETA}
        beta = {name: value for name, value in self.body.items() if name in BETA}
        headers = dict(self.plan.sent.headers) | ({"anthropic-beta": ",".join(self.betas)} if self.betas else {})
        extra = {"extra_body": beta, "extra_headers": headers}
        return body | {name: value for name, value in extra.items() if value}

    def explain(self) -> str:
        """A few lines in plain words: what is sent, what is not and why, tokens, dollars."""
        return self.plan.explain()


def fit(
    messages: Sequence[Any],
    *,
    model: str,
    budget: int,
    keep: int | None = None,
    system: System | None = None,
    tools: ToolList | None = None,
    strategy: Strategy | None = None,
    now: float | None = None,
    state: Mapping[str, Any] | None = None,
    usage: Any = None,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    **options: Unpack[RequestOptions],
) -> Fitted:
    """What to send of a whole conversation: a legal body within the budget, with cache markers.

    `messages`: all that was said, oldest first, as the SDK takes it (dicts or its objects), the new question last;
    markers of your own give way. `budget`: the most prompt tokens, system and tools included; `keep`: the newest
    tokens that always stay (default: a quarter). `strategy`: `Economic()` by default. `now`: unix seconds, by which
    warm caches are told from cold ones; without it no time passes. `state`: what the last call for this conversation
    gave, so that the window moves in steps and thinking stays valid; None begins anew. `usage`: what the API said of
    the last request (`message.usage`): sizes are exact with it. Other options of a request (`thinking`, ...) as usual.

    Raises InvalidOption, UnknownModel, InvalidContent (it names the message) and BudgetExceeded.
    """
    session = _session(model, budget, keep, system, tools, strategy, max_tokens, options)
    settings = session.settings()
    _check_now(now)
    drafts = _drafts(messages)
    before, used, counter = FitState.read(state), _usage(usage), session.counter(settings.card)
    if state is None and (asked := _running(drafts)):
        # As its question was sent without a state: the run's thinking is bound to that.
        _, before = _planned(drafts[:asked], before, settings, counter, now)
    plan, after = _planned(drafts, before.follow(drafts, settings.preamble, used), settings, counter, now)
    _reject_illegal(plan, settings)
    left = tuple(_left_out(plan, len(drafts)))
    return Fitted(body=plan.body, betas=plan.betas, left_out=left, state=after.as_json(), plan=plan)


def _planned(
    drafts: Sequence[Draft], state: FitState, settings: Settings, counter: Estimator, now: float | None
) -> tuple[Plan, FitState]:
    """The plan of a request that sends these messages, and the state behind it."""
    plan = _Window(drafts, state, settings, counter).plan(state.moment(now))
    return plan, state.then(plan, drafts, now)


def _running(drafts: Sequence[Draft]) -> int:
    """How many messages there were when the question of a run of tools was asked; 0 where none is under way."""
    if drafts[-1].plain:
        return 0
    return max((at for at, draft in enumerate(drafts, 1) if draft.plain), default=0)


def _session(
    model: Any,
    budget: Any,
    keep: int | None,
    system: Any,
    tools: Any,
    strategy: Strategy | None,
    max_tokens: int,
    options: Any,
) -> Session:
    """The settings, checked as those of a conversation."""
    for name, value in (("model", model), ("budget", budget)):
        if value is None:
            raise InvalidOption(f"{name}=None: fit needs a {name}", option=name, value=None)
    check_numbers(budget=budget, keep=keep)
    has = traits(strategy)
    if has.summarises or has.server:
        raise InvalidOption(
            f"strategy={strategy!r:.60}: a Conversation makes and keeps summaries; give fit a window, as Economic()",
            option="strategy",
            value=strategy,
        )
    return Session(
        client=None,
        id="fit",
        model=model,
        memory="none",
        budget=budget,
        keep=keep,
        system=system,
        tools=tools,
        strategy=strategy,
        max_tokens=max_tokens,
        **options,
    )


def _check_now(now: Any) -> None:
    if now is not None and (isinstance(now, bool) or not isinstance(now, int | float) or not isfinite(now)):
        raise InvalidOption(f"now={now!r:.60}: give unix seconds, as time.time()", option="now", value=now)


def _usage(usage: Any) -> Mapping[str, Any] | None:
    told = plain(usage) if usage is not None else None
    if told is not None and not isinstance(told, dict):
        raise InvalidOption(f"usage={usage!r:.60}: give message.usage", option="usage", value=usage)
    return told


def _drafts(messages: Any) -> tuple[Draft, ...]:
    """The messages as turns. Raises InvalidContent that names the message."""
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence):
        raise InvalidContent(f"messages={messages!r:.60}: give a list of messages", problem="content-type")
    found = []
    for index, message in enumerate(messages):
        try:
            found.append(draft_of(message))
        except InvalidContent as wrong:
            raise InvalidContent(f"messages[{index}]: {wrong}", problem=wrong.problem) from None
    if not found:
        raise InvalidContent("messages=[]: give at least the user's question", problem="empty-message")
    _reject_no_question(found)
    return tuple(found)


def _reject_no_question(drafts: Sequence[Draft]) -> None:
    """Raise InvalidContent for a last user message that says nothing, or answers tools where nobody asked anything."""
    newest = len(drafts) - 1
    if drafts[newest].role != "user":
        return
    if not without_white_space(drafts[newest].blocks):
        raise InvalidContent(
            f"messages[{newest}]: the message is empty: give it text, an image or another block",
            problem="empty-message",
        )
    if not any(draft.plain for draft in drafts):
        raise InvalidContent(
            f"messages[{newest}]: a tool_result, but no message asks anything; begin with what the user says",
            problem="tool-orphan",
        )


class _Window:
    """The window of a list of messages: the turn of `messages[i]` has the seq i + 1."""

    def __init__(self, drafts: Sequence[Draft], state: FitState, settings: Settings, counter: Estimator) -> None:
        self.drafts, self.state, self.settings, self.counter = drafts, state, settings, counter
        self.first = self._first()
        legal, settled = arriving(drafts[self.first :]), max(0, replied(drafts) - self.first)
        self.old = _turns(legal[:settled], self.first, "answered")
        self.new = _turns(legal[settled:], self.first + settled, "pending")
        turns = (*self.old, *self.new)
        self._reject_answered(last_spoken(turns), bool(paused(turns)))
        self.instructions = tuple(_instructions(drafts[: self.first]))

    def _first(self) -> int:
        """Index from which on messages may be sent: the view's start, or as far back as another one may reach."""
        epoch, settings = self.state.epoch, self.settings
        if epoch is not None and epoch.strategy == repr(settings.strategy):
            return epoch.first_seq - 1
        if settings.traits.ignores_budget:
            return 0
        room, at = REACH * settings.budget, len(self.drafts)
        while at and room > 0:
            at -= 1
            room -= len(self.drafts[at].content)
        return min(at, epoch.first_seq - 1) if epoch else at

    def _reject_answered(self, newest: Turn | None, waits: bool) -> None:
        if newest is None or (newest.role != "user" and not waits):
            raise InvalidContent(
                f"messages[{len(self.drafts) - 1}]: a request ends with what the user says; put the question last",
                problem="ends-with-assistant",
            )

    def plan(self, now: float) -> Plan:
        """The plan of the request that sends what is new."""
        settings = self.settings
        memory = remember(self._loaded(), settings, self.counter, {}).memory
        if not self.state.counted:
            memory = replace(memory, anchor=None, anchor_seq=0)
        counts = {turn.seq: self.size(turn) for turn in self.new}
        made = make_plan(memory, self.new, counts, settings, now)
        return by_bound(memory, self.new, counts, settings, made, now) if made.doubt else made

    def size(self, turn: Turn) -> Count:
        """What a turn takes."""
        return size(turn, self.counter, self.settings.card)

    def _loaded(self) -> Loaded:
        state, sent = self.state, self.state.sent
        head = Head(
            conversation=0,
            branch=0,
            seq=len(self.drafts) - len(self.new),
            turn=self.old[-1] if self.old else None,
            epoch=state.epoch,
            requests=int(sent is not None),
            model=state.epoch.model if state.epoch else "",
        )
        return Loaded(
            head=head,
            turns=self.old,
            withdrawn=(),
            pinned_turns=(),
            pinned_seqs=frozenset(),
            instructions=self.instructions,
            counts={},
            uncounted=frozenset(turn.seq for turn in (*self.instructions, *self.old)),
            preamble_count=None,
            last=state.answered,
            preamble_at=state.marked_at if sent and sent.sent.model == self.settings.model else None,
            preamble_ttl=state.ttl,
            gaps=state.gaps,
            other_gaps=(0.0, 0.0, 0.0),
            learned=state.learned,
        )


def _turns(drafts: Sequence[Draft], head: int, state: State) -> tuple[Turn, ...]:
    """Messages behind the first `head` as turns of a record, in which the place of each is its id."""
    return tuple(replace(turn, id=turn.seq) for turn in as_turns(drafts, head, 0.0, state))


def _instructions(drafts: Sequence[Draft]) -> Iterator[Turn]:
    for at, draft in enumerate(drafts):
        if draft.role == "system":
            yield from _turns([draft], at, "answered")


def _left_out(plan: Plan, count: int) -> Iterator[Unsent]:
    """What of so many messages is not sent as it was said, run by run."""
    sent, relief = {seq for seq, _ in plan.numbered}, plan.epoch.relief
    cleared = relief.cleared | {seq for seq, _ in relief.results}
    whys = [(seq, _why(plan, seq, sent, cleared)) for seq in range(1, count + 1)]
    for why, run in groupby(whys, key=itemgetter(1)):
        seqs = [seq for seq, _ in run]
        if why:
            yield Unsent(first=seqs[0] - 1, last=seqs[-1] - 1, why=why)


def _why(plan: Plan, seq: int, sent: Collection[int], cleared: Collection[int]) -> str:
    """Why a message is not sent as it was said; "" where it is."""
    if seq in sent:
        return "tool results, or inputs of calls, are placeholders" if seq in cleared else ""
    if seq in plan.epoch.relief.dropped:
        return "the running exchange outgrew the budget"
    if seq < plan.epoch.first_seq:
        return f"before the window: {plan.epoch.reason}"
    return "nothing in it can be sent"


def _reject_illegal(plan: Plan, settings: Settings) -> None:
    """Raise InvalidContent for what the API would refuse, by the index of the message at fault."""
    version = settings.headers.get("anthropic-version", VERSION)
    problems = check_request(plan.shared_body, betas=plan.betas, card=settings.card, version=version)
    if problems:
        first, more = problems[0], f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidContent(f"{_place(first, plan)}: {first.message}{more}", problem=first.rule, problems=problems)


def _place(problem: Problem, plan: Plan) -> str:
    """Where a problem lies in the messages that were handed in."""
    parts = problem.path.split(".")
    if parts[0] != "messages" or len(parts) < 2 or not parts[1].isdigit():
        return problem.path
    return f"messages[{plan.numbered[int(parts[1])][0] - 1}]{''.join(f'.{part}' for part in parts[2:])}"
