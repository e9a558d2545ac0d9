"""Who answers: the model asked for, the one a router chooses, or the next when that one cannot.

A request that fails for the far side's sake (overloaded, failing, limited, no answer), that a model refuses to answer,
or whose stream breaks off before any text, is sent to the next model, in an epoch of its own beside the others; what
the caller did wrong is raised at once. When the first model is asked again, its epoch goes on with what was said
meanwhile. What was done, and what it costs, stands in the reply's notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from sash.errors import BudgetExceeded, InvalidContent, RemoteError, ReplyInterrupted, SashError, Unavailable
from sash.flows.context import Context
from sash.flows.request.attempt import Attempt, Models, Outcome, Road
from sash.flows.request.keys import held, with_first_key
from sash.flows.request.prepare import prepare
from sash.flows.request.send import Call
from sash.flows.steps import Flow, Now
from sash.limits.ceilings.policy import accounts
from sash.model.blocks import readable
from sash.model.cards import card as card_of
from sash.model.fitting import check_fit
from sash.model.forecast import Forecast, user_of
from sash.model.replies import Reply, after
from sash.model.turns import Draft
from sash.model.window import Head
from sash.planning.inputs import Settings
from sash.planning.routing import Asked, Option, Routing, dearer, settings_on, tried

PASSING = (BudgetExceeded, InvalidContent, Unavailable, ReplyInterrupted)
"""What another model may do better."""
HOPELESS = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
"""Error codes of caps on all that an account spends: another model costs money too."""


def first_attempt(chat: Context, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Attempt]:
    """The attempt that is made first: of the model in force, or the one that a router chooses."""
    start = Attempt(chat=chat, settings=settings, drafts=tuple(drafts), call=call)
    if chat.routing is None or chat.counter_of is None:
        return (yield from with_first_key(start))
    models = yield from _models(chat, chat.routing, drafts, settings, stream=call.stream)
    return (yield from _asking(start, models, 0))


def by_another_model(attempt: Attempt, outcome: Outcome) -> Flow[Attempt | Outcome]:
    """The attempt of the next model, where this one failed or declined; else what came of the call."""
    models = attempt.models
    road = models.road if models is not None else None
    if isinstance(outcome, Reply):
        return (yield from _answered(attempt, attempt.whole(outcome)))
    if models is None or road is None or not isinstance(outcome, PASSING):
        return outcome
    asked_for = road.model == models.settings.model and not models.failures
    if not _worth_another(outcome, asked_for=asked_for):
        return _ended(models, outcome)
    drafts = () if isinstance(outcome, RemoteError) else attempt.drafts  # sent: recorded by now, and pending
    said = (*models.said, _why_not(road.model, outcome))
    models = replace(models, failures=(*models.failures, outcome), said=said)
    if models.asked is None:  # the road was the only one looked at
        models = yield from _looked(models, road, drafts)
    return (yield from _onward(replace(attempt, drafts=drafts), models))


def chosen(chat: Context, drafts: Sequence[Draft], settings: Settings) -> Flow[tuple[Context, Settings]]:
    """Who would be asked first, and with which settings. Nothing is sent or written."""
    if chat.routing is None or chat.counter_of is None:
        return chat, settings
    models = yield from _models(chat, chat.routing, drafts, settings, stream=False)
    first = models.ahead[0].settings
    return _for(chat, first), first


def _models(
    chat: Context, routing: Routing, drafts: Sequence[Draft], settings: Settings, *, stream: bool
) -> Flow[Models]:
    """The models to try, the one that answered last, and what the choice was made from where there was one."""
    head = chat.store.branches.head(chat.conversation)
    if routing.route is None and (yield from _well(chat, routing, settings, head)):
        only = _road(routing, settings, settings.model)
        return Models(chat=chat, settings=settings, ahead=(only,), present=_present(head), asked=None)
    asked = yield from _asked(chat, routing, drafts, settings, head, stream=stream)
    ahead = tuple(_road(routing, settings, model, asked) for model in _order(routing, asked))
    return Models(chat=chat, settings=settings, ahead=ahead, present=asked.present, asked=asked)


def _well(chat: Context, routing: Routing, settings: Settings, head: Head) -> Flow[bool]:
    """Whether there is nothing to decide: the model in force answers, and has not failed of late."""
    if _present(head) not in ("", settings.model):
        return False
    now = yield from Now()
    failed = chat.store.health.models(models=(settings.model,), since=now - routing.fallback.rest)
    return not failed


def _present(head: Head) -> str:
    return head.epoch.model if head.epoch else ""


# ---- what there is to choose from -----------------------------------------------------------------


def _asked(
    chat: Context, routing: Routing, drafts: Sequence[Draft], settings: Settings, head: Head, *, stream: bool
) -> Flow[Asked]:
    """The request, and what each model would make of it. Nothing is sent or written."""
    present = _present(head)
    named = getattr(routing.route, "models", ())
    models = tuple(dict.fromkeys((settings.model, *routing.fallback.models, *named, *filter(None, [present]))))
    models = tuple(model for model in models if model == settings.model or model in routing.cards)
    if chat.places is not None and head.key:
        settings = held(chat.places, settings, head.key)
    now = yield from Now()
    failed = chat.store.health.models(models=models, since=now - routing.fallback.rest)
    options: tuple[Option, ...] = ()
    for model in models:
        ill = model in failed
        options = (*options, (yield from _option(chat, routing, drafts, settings, model, ill=ill)))
    remaining = _remaining(chat, settings, now)
    said = [block for draft in drafts for block in draft.blocks]
    return Asked(
        options=options,
        present=present,
        characters=len(readable(said)),
        images=sum(block.get("type") == "image" for block in said),
        tools=bool(settings.preamble.tools),
        running=_running(drafts, head),
        stream=stream,
        tier=routing.tier,
        remaining=remaining,
    )


def _option(
    chat: Context, routing: Routing, drafts: Sequence[Draft], settings: Settings, model: str, *, ill: bool
) -> Flow[Option]:
    """What one model would make of the request."""
    road = _road(routing, settings, model)
    try:
        prepared = yield from prepare(replace(_for(chat, road.settings), count_online=False), drafts, road.settings)
    except (BudgetExceeded, InvalidContent) as error:
        return Option(model=model, dollars=None, problem=str(error), ill=ill)
    plan = prepared.plan
    dollars = plan.expected.dollars
    return Option(model=model, dollars=dollars, prompt=plan.prompt.tokens, warm=plan.expected.read, ill=ill)


def _remaining(chat: Context, settings: Settings, now: float) -> float | None:
    """Dollars left under the tightest ceiling; below 0 where it is passed already."""
    if not any(ceiling.dollars is not None for ceiling in chat.ceilings):
        return None
    user = user_of(settings.options) or chat.user
    who = Forecast(
        countable=0, prompt=0, output=0, card=settings.card, conversation=chat.id, namespace=chat.namespace, user=user
    )
    found = accounts(chat.ceilings, who, user, now)
    return min(a.dollars - chat.store.spend.spent(a).dollars for a in found if a.dollars is not None)


def _running(drafts: Sequence[Draft], head: Head) -> bool:
    """Whether this goes on with something that the present model began: results of its calls, or a pause."""
    if drafts:
        return not any(draft.plain for draft in drafts)
    return head.turn is not None and head.turn.role != "system" and not head.turn.plain


def _order(routing: Routing, asked: Asked) -> Sequence[str]:
    """The models to try: the router's choice, then the fallbacks."""
    if routing.route is None:
        return tried(asked, _first(routing, asked))
    chosen = routing.route(asked)
    check_fit("router", chosen, str | Sequence[str])
    names = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    return tuple(dict.fromkeys((*names, *tried(asked))))


def _first(routing: Routing, asked: Asked) -> str:
    """The model in force; the present one where a tool run is its own, or going back is dearer than it may be."""
    home, most = asked.options[0], routing.fallback.most
    if not asked.present or asked.running:
        return asked.present or home.model
    more = dearer(home, asked.option(asked.present))
    here = asked.option(asked.present)
    dear = most is not None and more is not None and more > most and here is not None and here.warm > 0
    return asked.present if dear else home.model


def _road(routing: Routing, settings: Settings, model: str, asked: Asked | None = None) -> Road:
    """The settings for one model. Raises UnknownModel for one that a router made up."""
    option = (asked.option(model) if asked else None) or Option(model=model, dollars=None)
    if model == settings.model:
        return Road(option=option, settings=replace(settings, aside=f"{model} answers now"))
    card = routing.cards.get(model) or card_of(model)
    there, notes = settings_on(card, settings, aside=f"{model} is asked beside {settings.model}")
    return Road(option=option, settings=there, notes=notes)


def _for(chat: Context, settings: Settings) -> Context:
    assert chat.counter_of is not None  # else nothing is routed
    return replace(chat, counter=chat.counter_of(settings.card))


# ---- trying ---------------------------------------------------------------------------------------


def _onward(attempt: Attempt, models: Models) -> Flow[Attempt | Outcome]:
    """The attempt of the next model that is not too dear; what came of the call, where none is left."""
    assert models.chat.routing is not None  # else nothing is routed
    for at, road in enumerate(models.ahead):
        dear = _too_dear(models.chat.routing, models.asked, road)
        if not dear:
            return (yield from _asking(attempt, models, at))
        models = replace(models, said=(*models.said, dear))
    return _ended(models, _outcome(models))


def _asking(attempt: Attempt, models: Models, at: int) -> Flow[Attempt]:
    """The attempt of the model at a place among those ahead."""
    road = models.ahead[at]
    start = Attempt(
        chat=_for(models.chat, road.settings),
        settings=road.settings,
        drafts=attempt.drafts,
        call=attempt.call,
        models=replace(models, road=road, ahead=models.ahead[at + 1 :]),
    )
    return (yield from with_first_key(start))


def _answered(attempt: Attempt, reply: Reply) -> Flow[Attempt | Outcome]:
    """A reply with what there is to say of its model; one that declines is followed by what others say."""
    models = attempt.models
    if models is None or models.road is None or models.chat.routing is None:
        return reply
    if reply.refused:
        return (yield from _behind_a_refusal(attempt, models, models.road, reply))
    passed = _passed_by(models.ahead) if models.said or models.chat.routing.route is not None else ()
    arrival = _arrival(reply, models.road, models)
    return _for_all(models.refusals, replace(reply, notes=(*models.said, *passed, *arrival, *reply.notes)))


def _behind_a_refusal(attempt: Attempt, models: Models, road: Road, reply: Reply) -> Flow[Attempt | Outcome]:
    """What the fallbacks behind the model that refused say to the same; its refusal, where there are none.

    A refusal withdraws its question, so that this is said again.
    """
    routing = models.chat.routing
    assert routing is not None  # else nothing is routed
    again = attempt.drafts or _unanswered(reply)
    names = routing.fallback.models
    left = names[names.index(road.model) + 1 :] if road.model in names else names
    if not left or not again:
        return _for_all(models.refusals, replace(reply, notes=(*models.said, *road.notes, *reply.notes)))
    if models.asked is None:
        models = yield from _looked(models, road, again)
    said = (*models.said, f"{road.model} refused to answer")
    behind = replace(
        models,
        ahead=tuple(_road(routing, models.settings, name, models.asked) for name in left),
        present=road.model,
        said=said,
        failures=(),
        refusals=(*models.refusals, reply),
        refused=said,
    )
    return (yield from _onward(replace(attempt, drafts=again), behind))


def _looked(models: Models, road: Road, drafts: tuple[Draft, ...]) -> Flow[Models]:
    """All that there is to choose from, now that the model in force, the only one looked at, failed."""
    routing = models.chat.routing
    assert routing is not None  # else nothing is routed
    head = models.chat.store.branches.head(models.chat.conversation)
    asked = yield from _asked(models.chat, routing, drafts, models.settings, head, stream=False)
    ahead = tuple(_road(routing, models.settings, model, asked) for model in tried(asked) if model != road.model)
    return replace(models, asked=asked, ahead=ahead)


def _for_all(refusals: Sequence[Reply], reply: Reply) -> Reply:
    """The reply as the outcome of all that were asked, those that declined included."""
    return reduce(lambda later, earlier: after(earlier, later), reversed(refusals), reply)


def _ended(models: Models, error: SashError | None) -> Outcome:
    """What becomes of a call that nobody answered.

    A refusal stands where what is behind it was too dear (no `error`), or could not take the request.
    """
    if models.refusals and (error is None or isinstance(error, BudgetExceeded | InvalidContent)):
        *earlier, last = models.refusals
        said = models.said if error is None else models.refused
        return _for_all(earlier, replace(last, notes=(*said, *last.notes)))
    assert error is not None  # somebody was asked
    return error


def _unanswered(reply: Reply) -> tuple[Draft, ...]:
    """The turns that were pending when a reply was asked for."""
    waiting = [turn for turn in reply.plan.turns if turn.state == "pending" and turn.role != "system"]
    return tuple(Draft(role=turn.role, content=turn.content, speaker=turn.speaker) for turn in waiting)


def _outcome(models: Models) -> SashError | None:
    """What to raise: that a model failed, for the turn is recorded then; else what the first one refused."""
    failed = [error for error in models.failures if isinstance(error, RemoteError)]
    if not failed:
        return next(iter(models.failures), None)
    failed[-1].facts["notes"] = models.said
    return failed[-1]


def _worth_another(failed: SashError, *, asked_for: bool) -> bool:
    """Whether another model may do better: not for a cap on spending, nor in the middle of a reply.

    Nor for what the model could not take that the caller asked for: that is the caller's to mend.
    """
    if not isinstance(failed, RemoteError):
        return not asked_for
    if failed.facts.get("state") == "interrupted":
        return False
    return failed.facts.get("error_code") not in HOPELESS and failed.facts.get("turn") is not None


def _too_dear(routing: Routing, asked: Asked | None, road: Road) -> str:
    """Why a model is not asked in another's place, "" where it may be."""
    most = routing.fallback.most
    here = asked.option(asked.options[0].model) if asked else None
    more = dearer(road.option, here)
    if most is None or more is None or more <= most:
        return ""
    return f"{road.model} was not asked: it would cost ${more:.6f} more, over ${most:.6f}"


def _arrival(reply: Reply, road: Road, models: Models) -> tuple[str, ...]:
    """What is to be said of a reply that another model gave than the last one."""
    model, present, home, asked = road.model, models.present, models.settings.model, models.asked
    if model == present or (not present and model == home):
        return road.notes
    expected = reply.plan.expected
    dollars = "an unknown price" if expected.dollars is None else f"${expected.dollars:.6f}"
    price = f"its prompt is expected to cost {dollars}, {expected.read:,} tokens read from its cache"
    more = dearer(road.option, asked.option(present)) if asked and present else None
    beside = "" if more is None else f", ${abs(more):.6f} {'more' if more > 0 else 'less'} than staying with {present}"
    again = "is asked again, and goes on from what it was sent before"
    what = again if model == home else f"answers beside {home}"
    return (f"{model} {what}: {price}{beside}", *road.notes)


def _passed_by(roads: Sequence[Road]) -> tuple[str, ...]:
    """Why models that were not asked could not have been."""
    return tuple(_unable(road.model, road.option.problem) for road in roads if road.option.problem)


def _why_not(model: str, error: SashError) -> str:
    """Why a model that was asked gave no reply."""
    if not isinstance(error, RemoteError):
        return _unable(model, str(error))
    what = "was not available" if isinstance(error, Unavailable) else "broke off before any text"
    return f"{model} {what} ({error.status} {error.kind})"


def _unable(model: str, problem: str) -> str:
    return f"{model} cannot take it: {problem.partition('. ')[0]}"
