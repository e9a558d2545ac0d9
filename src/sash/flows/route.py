"""Who answers: the model asked for, the one a router chooses, or the next when that one cannot.

A request that fails for the far side's sake (overloaded, failing, limited, no answer), that a model refuses to answer,
or whose stream breaks off before any text, is sent to the next model, in an epoch of its own beside the others; what
the caller did wrong is raised at once. When the first model is asked again, its epoch goes on with what was said
meanwhile. What was done, and what it costs, stands in the reply's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sash.errors import BudgetExceeded, InvalidContent, RemoteError, ReplyInterrupted, SashError, Unavailable
from sash.flows.keys import held
from sash.flows.prepare import prepare
from sash.flows.steps import Flow, Now, ReadHead, ReadHealth, ReadSpent
from sash.flows.talk import Chat
from sash.limits.ceilings import accounts
from sash.model.blocks import readable
from sash.model.cards import card as card_of
from sash.model.fitting import check_fit
from sash.model.forecast import Forecast, user_of
from sash.model.replies import Reply, after
from sash.model.turns import Draft
from sash.model.window import Head
from sash.planning.inputs import Settings
from sash.planning.routing import Asked, Option, Ways, dearer, settings_on, tried

Make = Callable[[Chat, Sequence[Draft], Settings], Flow[Reply]]
HOPELESS = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
"""Error codes of caps on all that an account spends: another model costs money too."""


@dataclass(frozen=True, kw_only=True)
class _Road:
    """One model to try."""

    option: Option
    settings: Settings
    notes: tuple[str, ...] = ()


def routed(chat: Chat, drafts: Sequence[Draft], settings: Settings, make: Make, *, stream: bool = False) -> Flow[Reply]:
    """The reply of `make`, which asks the one model of the settings it is given, on the first road that leads there.

    Raises what the last one met; CallerErrors of the first one, where no road is open to anybody.
    """
    if chat.ways is None or chat.counter_of is None:
        return (yield from make(chat, drafts, settings))
    roads, present, asked = yield from _roads(chat, chat.ways, drafts, settings, stream=stream)
    return (yield from _tried(chat, drafts, settings, make, roads, present, asked))


def chosen(chat: Chat, drafts: Sequence[Draft], settings: Settings) -> Flow[tuple[Chat, Settings]]:
    """Who would be asked first, and with which settings. Nothing is sent or written."""
    if chat.ways is None or chat.counter_of is None:
        return chat, settings
    roads, _, _ = yield from _roads(chat, chat.ways, drafts, settings, stream=False)
    return _for(chat, roads[0].settings), roads[0].settings


def _roads(
    chat: Chat, ways: Ways, drafts: Sequence[Draft], settings: Settings, *, stream: bool
) -> Flow[tuple[Sequence[_Road], str, Asked | None]]:
    """The roads to try, the model that answered last, and what the choice was made from where there was one."""
    head = yield from ReadHead(conversation=chat.conversation)
    if ways.route is None and (yield from _well(ways, settings, head)):
        return [_road(ways, settings, settings.model)], _present(head), None
    asked = yield from _asked(chat, ways, drafts, settings, head, stream=stream)
    return [_road(ways, settings, model, asked) for model in _order(ways, asked)], asked.present, asked


def _well(ways: Ways, settings: Settings, head: Head) -> Flow[bool]:
    """Whether there is nothing to decide: the model in force answers, and has not failed of late."""
    if _present(head) not in ("", settings.model):
        return False
    now = yield from Now()
    health = yield from ReadHealth(models=(settings.model,), since=now - ways.fallback.rest)
    return not health.failed


def _present(head: Head) -> str:
    return head.epoch.model if head.epoch else ""


# ---- what there is to choose from -----------------------------------------------------------------


def _asked(
    chat: Chat, ways: Ways, drafts: Sequence[Draft], settings: Settings, head: Head, *, stream: bool
) -> Flow[Asked]:
    """The request, and what each model would make of it. Nothing is sent or written."""
    present = _present(head)
    named = getattr(ways.route, "models", ())
    models = tuple(dict.fromkeys((settings.model, *ways.fallback.models, *named, *filter(None, [present]))))
    models = tuple(model for model in models if model == settings.model or model in ways.cards)
    if chat.places is not None and head.key:
        settings = held(chat.places, settings, head.key)
    now = yield from Now()
    health = yield from ReadHealth(models=models, since=now - ways.fallback.rest)
    options: tuple[Option, ...] = ()
    for model in models:
        ill = model in health.failed
        options = (*options, (yield from _option(chat, ways, drafts, settings, model, ill=ill)))
    remaining = yield from _remaining(chat, settings, now)
    said = [block for draft in drafts for block in draft.blocks]
    return Asked(
        options=options,
        present=present,
        characters=len(readable(said)),
        images=sum(block.get("type") == "image" for block in said),
        tools=bool(settings.preamble.tools),
        running=_running(drafts, head),
        stream=stream,
        tier=ways.tier,
        remaining=remaining,
    )


def _option(
    chat: Chat, ways: Ways, drafts: Sequence[Draft], settings: Settings, model: str, *, ill: bool
) -> Flow[Option]:
    """What one model would make of the request."""
    road = _road(ways, settings, model)
    try:
        prepared = yield from prepare(replace(_for(chat, road.settings), endpoint=False), drafts, road.settings)
    except (BudgetExceeded, InvalidContent) as error:
        return Option(model=model, dollars=None, problem=str(error), ill=ill)
    plan = prepared.plan
    dollars = plan.expected.dollars
    return Option(model=model, dollars=dollars, prompt=plan.prompt.tokens, warm=plan.expected.read, ill=ill)


def _remaining(chat: Chat, settings: Settings, now: float) -> Flow[float | None]:
    """Dollars left under the tightest ceiling; below 0 where it is passed already."""
    if not any(ceiling.dollars is not None for ceiling in chat.ceilings):
        return None
    user = user_of(settings.options)
    who = Forecast(
        countable=0, prompt=0, output=0, card=settings.card, conversation=chat.id, namespace=chat.namespace, user=user
    )
    found = accounts(chat.ceilings, who, user, now)
    spent = yield from ReadSpent(accounts=found)
    left = [a.dollars - held.dollars for a, held in zip(found, spent, strict=True) if a.dollars is not None]
    return min(left)


def _running(drafts: Sequence[Draft], head: Head) -> bool:
    """Whether this goes on with something that the present model began: results of its calls, or a pause."""
    if drafts:
        return not any(draft.plain for draft in drafts)
    return head.turn is not None and head.turn.role != "system" and not head.turn.plain


def _order(ways: Ways, asked: Asked) -> Sequence[str]:
    """The models to try: the router's choice, then the fallbacks."""
    if ways.route is None:
        return tried(asked, _first(ways, asked))
    chosen = ways.route(asked)
    check_fit("router", chosen, str | Sequence[str])
    names = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    return tuple(dict.fromkeys((*names, *tried(asked))))


def _first(ways: Ways, asked: Asked) -> str:
    """The model in force; the present one where a tool run is its own, or going back is dearer than it may be."""
    home, most = asked.options[0], ways.fallback.most
    if not asked.present or asked.running:
        return asked.present or home.model
    more = dearer(home, asked.option(asked.present))
    here = asked.option(asked.present)
    dear = most is not None and more is not None and more > most and here is not None and here.warm > 0
    return asked.present if dear else home.model


def _road(ways: Ways, settings: Settings, model: str, asked: Asked | None = None) -> _Road:
    """The settings for one model. Raises UnknownModel for one that a router made up."""
    option = (asked.option(model) if asked else None) or Option(model=model, dollars=None)
    if model == settings.model:
        return _Road(option=option, settings=replace(settings, aside=f"{model} answers now"))
    card = ways.cards.get(model) or card_of(model)
    there, notes = settings_on(card, settings, aside=f"{model} is asked beside {settings.model}")
    return _Road(option=option, settings=there, notes=notes)


def _for(chat: Chat, settings: Settings) -> Chat:
    assert chat.counter_of is not None  # else nothing is routed
    return replace(chat, counter=chat.counter_of(settings.card))


# ---- trying ---------------------------------------------------------------------------------------


def _tried(
    chat: Chat,
    drafts: Sequence[Draft],
    settings: Settings,
    make: Make,
    roads: Sequence[_Road],
    present: str,
    asked: Asked | None,
    said: Sequence[str] = (),
) -> Flow[Reply]:
    """The reply on the first road that leads somewhere; more roads are looked for when the only one fails.

    `said`: why it is not the first one's.
    """
    assert chat.ways is not None  # else nothing is routed
    failures, notes, ahead = list[Exception](), list(said), list(roads)
    while ahead:
        road = ahead.pop(0)
        if notes and (dear := _too_dear(chat.ways, asked, road)):
            notes.append(dear)
            continue
        try:
            reply = yield from make(_for(chat, road.settings), drafts, road.settings)
        except (BudgetExceeded, InvalidContent, Unavailable, ReplyInterrupted) as failed:
            asked_for = road.option.model == settings.model and not failures
            if not _worth_another(failed, asked_for=asked_for):
                raise
            failures.append(failed)
            notes.append(_why_not(road.option.model, failed))
            drafts = () if isinstance(failed, RemoteError) else drafts  # sent: recorded by now, and pending
        else:
            if reply.refused:
                return (yield from _refused(chat, drafts, settings, make, reply, road, asked, notes))
            passed = _passed_by(ahead) if notes or chat.ways.route is not None else []
            arrival = _arrival(reply, road, settings, present, asked)
            return replace(reply, notes=(*notes, *passed, *arrival, *reply.notes))
        if asked is None:  # the road was the only one looked at
            asked = yield from _looked(chat, drafts, settings)
            ahead = [_road(chat.ways, settings, model, asked) for model in tried(asked) if model != road.option.model]
    raise _outcome(failures, notes)


def _looked(chat: Chat, drafts: Sequence[Draft], settings: Settings) -> Flow[Asked]:
    """What there is to choose from, now that the model in force failed."""
    assert chat.ways is not None  # else nothing is routed
    head = yield from ReadHead(conversation=chat.conversation)
    return (yield from _asked(chat, chat.ways, drafts, settings, head, stream=False))


def _refused(
    chat: Chat,
    drafts: Sequence[Draft],
    settings: Settings,
    make: Make,
    reply: Reply,
    road: _Road,
    asked: Asked | None,
    said: Sequence[str],
) -> Flow[Reply]:
    """What the fallbacks behind the model that refused say to the same; its refusal, where there are none.

    A refusal withdraws its question, so that this is said again.
    """
    assert chat.ways is not None  # else nothing is routed
    again = tuple(drafts) or _unanswered(reply)
    models = chat.ways.fallback.models
    left = models[models.index(road.option.model) + 1 :] if road.option.model in models else models
    notes = (*said, f"{road.option.model} refused to answer")
    if not left or not again:
        return replace(reply, notes=(*said, *road.notes, *reply.notes))
    asked = asked or (yield from _looked(chat, again, settings))
    roads = [_road(chat.ways, settings, model, asked) for model in left]
    try:
        later = yield from _tried(chat, again, settings, make, roads, road.option.model, asked, notes)
    except (BudgetExceeded, InvalidContent):
        return replace(reply, notes=(*notes, *reply.notes))
    return after(reply, later)


def _unanswered(reply: Reply) -> tuple[Draft, ...]:
    """The turns that were pending when a reply was asked for."""
    waiting = [turn for turn in reply.plan.turns if turn.state == "pending" and turn.role != "system"]
    return tuple(Draft(role=turn.role, content=turn.content, speaker=turn.speaker) for turn in waiting)


def _outcome(failures: Sequence[Exception], notes: Sequence[str]) -> Exception:
    """What to raise: that a model failed, for the turn is recorded then; else what the first one refused."""
    failed = [error for error in failures if isinstance(error, RemoteError)]
    if not failed:
        return failures[0]
    failed[-1].facts["notes"] = tuple(notes)
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


def _too_dear(ways: Ways, asked: Asked | None, road: _Road) -> str:
    """Why a model is not asked in another's place, "" where it may be."""
    most = ways.fallback.most
    here = asked.option(asked.options[0].model) if asked else None
    more = dearer(road.option, here)
    if most is None or more is None or more <= most:
        return ""
    return f"{road.option.model} was not asked: it would cost ${more:.6f} more, over ${most:.6f}"


def _arrival(reply: Reply, road: _Road, settings: Settings, present: str, asked: Asked | None) -> tuple[str, ...]:
    """What is to be said of a reply that another model gave than the last one."""
    model = road.option.model
    if model == present or (not present and model == settings.model):
        return road.notes
    expected = reply.plan.expected
    dollars = "an unknown price" if expected.dollars is None else f"${expected.dollars:.6f}"
    price = f"its prompt is expected to cost {dollars}, {expected.read:,} tokens read from its cache"
    more = dearer(road.option, asked.option(present)) if asked and present else None
    beside = "" if more is None else f", ${abs(more):.6f} {'more' if more > 0 else 'less'} than staying with {present}"
    what = (
        "is asked again, and goes on from what it was sent before"
        if model == settings.model
        else f"answers beside {settings.model}"
    )
    return (f"{model} {what}: {price}{beside}", *road.notes)


def _passed_by(roads: Sequence[_Road]) -> list[str]:
    """Why models that were not asked could not have been."""
    return [_unable(road.option.model, road.option.problem) for road in roads if road.option.problem]


def _why_not(model: str, error: SashError) -> str:
    """Why a model that was asked gave no reply."""
    if not isinstance(error, RemoteError):
        return _unable(model, str(error))
    what = "was not available" if isinstance(error, Unavailable) else "broke off before any text"
    return f"{model} {what} ({error.status} {error.kind})"


def _unable(model: str, problem: str) -> str:
    return f"{model} cannot take it: {problem.partition('. ')[0]}"
