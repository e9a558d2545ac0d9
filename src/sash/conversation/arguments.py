"""What a conversation is told, checked: arguments become values, or errors that name value and remedy. Pure."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sash.claude.options import check_blocks
from sash.conversation.files import with_files
from sash.errors import InvalidContent, InvalidOption, UnknownModel
from sash.model.blocks import as_blocks, dumps, plain, well_formed, without_white_space
from sash.model.cards import TABLE, ModelCard, Ttl
from sash.model.cards import card as card_of
from sash.model.fitting import check_fit, check_whole
from sash.model.functions import is_result, made_sendable
from sash.model.options import BETA, BODY
from sash.model.preamble import Preamble
from sash.model.turns import Draft, Turn
from sash.planning.routing import Fallback, Route, Routing, as_models
from sash.planning.situation import Marks
from sash.recall import Recall
from sash.stores import only_here

T = TypeVar("T")


def check_numbers(**numbers: int | None) -> None:
    """Numbers of tokens; None is left to whoever asks."""
    for name, value in numbers.items():
        if value is not None:
            check_whole(name, value, least=0 if name == "keep" else 1)
    budget, keep = numbers.get("budget"), numbers.get("keep")
    if budget is not None and keep is not None and keep > budget:
        raise InvalidOption(f"keep={keep} cannot be more than budget={budget}", option="keep", value=keep)


class Setting(Generic[T]):
    """An attribute of a conversation that may be set at any time: checked then as when the conversation is made."""

    def __init__(self, check: Callable[[str, Any], None]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, chat: object, owner: type | None = None) -> T:
        return self if chat is None else chat.__dict__[self._name]  # type: ignore[return-value]

    def __set__(self, chat: object, value: T) -> None:
        self._check(self._name, value)
        chat.__dict__[self._name] = value


def check_tokens(name: str, value: Any) -> None:
    """One number of tokens, which must be given."""
    if value is None:
        raise InvalidOption(f"{name}=None: give a whole number of tokens", option=name, value=None)
    check_numbers(**{name: value})


def check_text(name: str, value: Any) -> None:
    check_fit(name, value, str)


def check_flag(name: str, value: Any) -> None:
    check_fit(name, value, bool)


def check_function(name: str, value: Any, what: str, *given: Any) -> None:
    """Something to be called with `given`; `what` says what it is for."""
    if not callable(value) or isinstance(value, type) or not _takes(value, given):
        raise InvalidOption(f"{name}={value!r:.60}: give {what}", option=name, value=value)


def _takes(function: Callable[..., Any], given: Sequence[Any]) -> bool:
    """Whether it can be called with these; functions that do not say so are taken at their word."""
    try:
        inspect.signature(function).bind(*given)
    except ValueError:
        return True
    except TypeError:
        return False
    return True


def check_clock(clock: Any) -> None:
    if clock is not time.time:  # what builtins take is read from their documentation, which takes a while
        check_function("clock", clock, "a function without arguments that tells unix seconds, as time.time")


def check_listener(on_event: Any) -> None:
    """What is told of events, if anything."""
    if on_event is not None:
        check_function("on_event", on_event, "a function of one argument, the event", object())


def turn_id(turn: Any) -> int:
    """The id of a turn that was named by itself or by its id. Raises InvalidOption."""
    found = turn.id if isinstance(turn, Turn) else turn
    if isinstance(found, bool) or not isinstance(found, int):
        raise InvalidOption(f"turn={turn!r:.60}: give a Turn, or the id of one", option="turn", value=turn)
    return found


def drafts_of(messages: Any) -> tuple[Draft, ...]:
    """Turns that were said elsewhere. Raises InvalidContent for what is no message, or no list of them."""
    if not isinstance(messages, Iterable) or isinstance(messages, str | bytes | Mapping):
        raise InvalidContent(f"messages={messages!r:.60}: give a list of messages", problem="content-type")
    return tuple(draft_of(message) for message in messages)


def card_for(card: Any, model: Any) -> ModelCard | None:
    """The card in force: the one given, the model's, or None for that of the record. Raises InvalidOption."""
    if card is not None and not isinstance(card, ModelCard):
        raise InvalidOption(
            f"card={card!r:.60}: give a ModelCard, as sash.card(model) makes one", option="card", value=card
        )
    if card is not None and model is not None and model != card.id:
        raise InvalidOption(
            f"model={model!r} and card={card.id!r} name two models: give one of them", option="model", value=model
        )
    return card or (None if model is None else card_of(model))


def check_most(max_tokens: int, card: ModelCard) -> None:
    """A reply longer than the model's longest cannot be asked for."""
    if max_tokens > card.max_output:
        raise InvalidOption(
            f"max_tokens={max_tokens:,}: {card.id} replies with at most {card.max_output:,} tokens",
            option="max_tokens",
            value=max_tokens,
        )


def routing_of(fallback: Sequence[str] | Fallback | None, router: Route | None, tier: str) -> Routing | None:
    """Who else may answer. Raises InvalidOption, and UnknownModel for a name without a card."""
    check_text("tier", tier)
    if router is None and fallback is None:
        return None
    if router is not None:
        check_function("router", router, "a Router, or a function from Asked to a model id", object())
    others = fallback if isinstance(fallback, Fallback) else Fallback(models=as_models(fallback))
    if router is None and not others.models:
        return None
    names = (*others.models, *getattr(router, "models", ()))
    return Routing(fallback=others, route=router, tier=tier, cards={name: card_of(name) for name in names})


def check_priced(cards: Iterable[ModelCard], *, in_dollars: bool) -> None:
    """A ceiling of dollars cannot be held for a model whose prices nobody knows. Raises UnknownModel."""
    for one in cards if in_dollars else ():
        if not one.prices:
            raise UnknownModel(
                f"a ceiling of dollars cannot be held for {one.id!r}, whose prices are not known: give a ceiling of "
                "tokens, or the prices: card=replace(sash.card(...), prices=(Price(...),))",
                model=one.id,
                known=sorted(TABLE),
            )


def check_max_wait(max_wait: Any) -> None:
    """Seconds, or None for any time."""
    if max_wait is not None:
        check_seconds("max_wait", max_wait)


def check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidOption(f"{name}={value!r}: give seconds, 0 for none", option=name, value=value)


def check_choice(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise InvalidOption(f"{name}={value!r}: choose one of {', '.join(known)}", option=name, value=value)


def check_background(background: Any, store: Any) -> None:
    """Raise InvalidOption for another word, and for jobs left in a record that no worker could open."""
    check_choice("background", background, ("here", "worker"))
    if background == "worker" and only_here(store):
        raise InvalidOption(
            'background="worker" leaves jobs to other processes, which cannot open a record in memory: '
            'name a file or a postgresql:// URL, or leave it at "here"',
            option="background",
            value=background,
        )


def check_markers(now: Preamble, options: Mapping[str, Any]) -> None:
    by_hand = now.markers + ("cache_control" in options)
    if by_hand > 4:
        raise InvalidOption(
            f"{by_hand} cache markers placed by hand; the API takes at most 4, and sash needs one or two of them",
            option="cache_control",
            value=by_hand,
        )


def marks_of(cache: Ttl | Marks | str | None) -> Marks | None:
    """The lifetimes asked for; None: left to the strategy."""
    if isinstance(cache, Marks):
        return cache
    if cache is None:
        return Marks(preamble=None, tail=None)
    check_choice("cache", cache, ("auto", "5m", "1h"))
    return None if cache == "auto" else Marks(preamble=cache, tail=cache)  # type: ignore[arg-type]


def body_options(checked: Mapping[str, Any]) -> dict[str, Any]:
    """The options that go into the body, in a fixed order: the same options give the same bytes."""
    body = {name: checked[name] for name in (*BODY, *BETA) if name in checked}
    return {**body, **(checked.get("extra_body") or {})}


def question_of(content: Any, *, betas: bool = False) -> tuple[Draft, ...]:
    """A user turn, from what the SDK takes as content or from a whole user message. Raises InvalidContent.

    `betas`: whether a beta is asked for, so that the API may take blocks that the SDK does not know.
    """
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
    blocks = without_white_space(as_blocks(content))
    check_blocks(blocks, betas=betas)
    return (Draft(role="user", content=dumps(blocks)),)


def draft_of(message: Any) -> Draft:
    """A turn that was said elsewhere, as it came. Raises InvalidContent for what is no message at all."""
    if isinstance(message, Draft):
        return message
    if isinstance(message, Mapping):
        message = {**message, "content": with_files(message.get("content"))}
    found = plain(message)
    if not isinstance(found, dict) or found.get("role") not in ("user", "assistant", "system"):
        raise InvalidContent(f"not a message of user, assistant or system: {message!r:.80}", problem="role")
    content = found.get("content")
    blocks = [] if content is None or content == "" else well_formed(content)
    return Draft(role=found["role"], content=dumps(blocks))


def check_recall(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Recall):
        raise InvalidOption(f"{name}={value!r:.60}: give a Recall, or None", option=name, value=value)


def recall_of(recall: Recall | bool | None, usual: Recall | None) -> Recall | None:
    """What is meant by a conversation's `recall=`, where `usual` is what its memory says."""
    if isinstance(recall, Recall):
        return recall
    if recall is None or isinstance(recall, bool):
        return usual if recall is None else (usual or Recall()) if recall else None
    raise InvalidOption(f"recall={recall!r}: give a Recall, True or False", option="recall", value=recall)
