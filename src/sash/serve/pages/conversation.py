"""A conversation: a page of its transcript, its window, its requests, its branches; and the forms on it."""

from __future__ import annotations

import base64
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sash.errors import NotFound
from sash.inspect.chart import chart
from sash.inspect.strip import strip
from sash.inspect.transcript import ImageAddress, ShownTurn, pictures, shown_turns
from sash.model.blocks import Block
from sash.model.cards import TABLE
from sash.model.turns import Turn
from sash.model.window import Branch, Head
from sash.serve.addresses import segment
from sash.serve.asking import Parameters, address, form_of, number_in, query_of
from sash.serve.changing import described, switched
from sash.serve.serving import Serving, namespace_of, serving_of
from sash.serve.views import PlannedWindow, next_request, turns_before
from sash.stores.port import ConversationInfo
from sash.types import MemoryMode

PAGE = 40
"""Turns on a page."""
REQUESTS = 60
"""Requests on the chart."""
BRANCHES = 50


class TranscriptQuery(Parameters):
    """Which turns are shown: those before a seq, those around one, or the newest."""

    before: int | None = None
    at: int | None = None
    turn: int | None = None
    new: int = 0


async def conversation(request: Request) -> Response:
    """The page."""
    serving, asked, id = serving_of(request), query_of(request, TranscriptQuery), request.path_params["id"]
    namespace = namespace_of(request)
    try:
        async with serving.talks.looking(namespace, id) as chat:
            planned = await next_request(chat)
    except NotFound:
        if not asked.new:
            raise
        return _empty(request, id)
    values = await run_in_threadpool(_values, serving, namespace, id, asked)
    return serving.page(request, "conversation.html", id=id, at=asked.at, **_of_window(planned), **values)


def _of_window(planned: PlannedWindow) -> dict[str, Any]:
    epoch = planned.plan.epoch if planned.plan else None
    return {
        "next": planned,
        "strip": strip(planned.parts, planned.budget),
        "reason": epoch.reason if epoch else "",
        "models": sorted(TABLE),
        "modes": get_args(MemoryMode),
    }


def _empty(request: Request, id: str) -> Response:
    """A conversation that begins with what is said next."""
    serving = serving_of(request)
    info = ConversationInfo(
        id=id, namespace="", title="New conversation", created_at=0.0, updated_at=0.0, turns=0, requests=0, dollars=0.0
    )
    planned = PlannedWindow(plan=None, parts=[], trouble="Nothing was said yet.")
    return serving.page(
        request, "conversation.html", id=id, at=None, info=info, turns=[], first=1, older="", newer="",
        newest_shown=True, requests=[], chart=None, cuts=[], branches=[], present=0, parting={}, sent_by={},
        unanswered=False, elsewhere=None, memory=serving.settings.memory, request_link=None, **_of_window(planned),
    )  # fmt: skip


def _values(serving: Serving, namespace: str, id: str, asked: TranscriptQuery) -> dict[str, Any]:
    """What the page shows, from the store: a page of it, however long it is."""
    store = serving.store
    head = store.branches.open(namespace=namespace, id=id, create=False)
    key, first = head.conversation, head.epoch.first_seq if head.epoch else 1
    turns = turns_before(store, key, _before(asked, head), PAGE)
    requests = store.requests.page(key, limit=REQUESTS)
    branches = store.branches.read(key, limit=BRANCHES)
    base, drawn = f"/c/{segment(id)}", chart(requests)
    pinned = frozenset(head.epoch.pinned_seqs) if head.epoch else frozenset[int]()
    return {
        "info": store.describe(id, namespace=namespace),
        "turns": shown_turns(turns, picture_address(base), first=first, pinned=pinned),
        "first": first,
        "older": address(base, before=turns[0].seq) if turns and turns[0].seq > 1 else "",
        "newer": address(base, before=turns[-1].seq + PAGE + 1) if turns and turns[-1].seq < head.seq else "",
        "newest_shown": not turns or turns[-1].seq >= head.seq,
        "requests": requests,
        "chart": drawn,
        "cuts": [bar for bar in drawn.bars if bar.cut],
        "request_link": lambda number: f"{base}/requests/{number}",
        "sent_by": {one.turn: one.number for one in reversed(requests)},
        "branches": branches,
        "present": head.branch,
        "parting": _parting(branches, head.branch),
        "unanswered": bool(head.turn and (head.turn.role == "user" or head.turn.state == "interrupted")),
        "elsewhere": _elsewhere(serving, key, asked, turns, base),
        "memory": serving.settings.memory,
    }


def _before(asked: TranscriptQuery, head: Head) -> int | None:
    if asked.at is not None:
        return min(asked.at + PAGE // 2, head.seq) + 1
    return None if asked.before is None or asked.before > head.seq else asked.before


def _parting(branches: Sequence[Branch], present: int) -> dict[int, list[Branch]]:
    """The branches that leave the present line, by the seq of the last turn that they share with it."""
    by_id = {branch.id: branch for branch in branches}
    line: dict[int, int] = {}
    at, high = by_id.get(present), 2**62
    while at is not None:
        line[at.id], high = high, min(high, at.fork_seq)
        at = by_id.get(at.parent) if at.parent is not None else None
    found = defaultdict[int, list[Branch]](list)
    for branch in branches:
        if branch.id not in line and branch.parent in line:
            found[min(branch.fork_seq, line[branch.parent])].append(branch)
    for branch in branches:  # and where the present line left its parent, the parent went on
        if branch.id in line and branch.parent in line and by_id[branch.parent].newest > branch.fork_seq:
            found[branch.fork_seq].append(by_id[branch.parent])
    return found


def _elsewhere(
    serving: Serving, key: int, asked: TranscriptQuery, turns: Sequence[Turn], base: str
) -> ShownTurn | None:
    """A turn that was asked for and stands on another branch."""
    if asked.turn is None or asked.turn in {turn.id for turn in turns}:
        return None
    turn = serving.store.turns.one(key, turn=asked.turn, anywhere=True)
    return next(iter(shown_turns([turn], picture_address(base))), None)


def picture_address(base: str) -> ImageAddress:
    """Where pictures of a conversation are found."""

    def found(turn: Turn, at: int, block: Block) -> str:
        del block
        return f"{base}/turns/{turn.id}/pictures/{at}"

    return found


def _turn(request: Request) -> Turn:
    """A turn of any branch."""
    return serving_of(request).store.turns.one(_key(request), turn=request.path_params["turn"], anywhere=True)


def turn(request: Request) -> Response:
    """One turn whole."""
    id = request.path_params["id"]
    shown = shown_turns([_turn(request)], picture_address(f"/c/{segment(id)}"), most=2**62)
    return serving_of(request).page(request, "turn.html", id=id, turns=shown)


async def redact(request: Request) -> Response:
    """Take the words of a turn out of the record, once its number was typed."""
    form, serving, namespace = await form_of(request), serving_of(request), namespace_of(request)
    found = await run_in_threadpool(_turn, request)
    if form.get("confirmed") != str(found.seq):
        raise HTTPException(400, "to redact the turn, type its number as it stands there")
    async with serving.talks.looking(namespace, request.path_params["id"]) as chat:
        await chat.redact(found.id, reason="redacted on its page")
    serving.talks.forget(namespace)
    return _back(request)


def picture(request: Request) -> Response:
    """A picture of a turn, as what it is and nothing else."""
    found: list[Block] = pictures(_turn(request))
    at = request.path_params["at"]
    if at >= len(found):
        raise HTTPException(404, "no such picture")
    source = found[at]["source"]
    return Response(base64.b64decode(str(source.get("data", ""))), media_type=source["media_type"])


async def fork(request: Request) -> Response:
    """A new conversation that shares the past up to a reply."""
    form, id = await form_of(request), request.path_params["id"]
    async with serving_of(request).talks.looking(namespace_of(request), id) as chat:
        made = await chat.fork(number_in(form, "turn"), id=f"{id}-{uuid.uuid4().hex[:6]}")
        await made.close()
    return RedirectResponse(f"/c/{segment(made.id)}", 303)


async def pin(request: Request) -> Response:
    """Pin an exchange, or unpin it."""
    form = await form_of(request)

    def change() -> None:
        key = _key(request)
        serving_of(request).store.turns.pin(key, turn=number_in(form, "turn"), pinned=bool(form.get("pinned")))

    await run_in_threadpool(change)
    return _back(request)


async def branch(request: Request) -> Response:
    """Go on with another branch."""
    form = await form_of(request)
    await run_in_threadpool(lambda: switched(serving_of(request).store, _key(request), number_in(form, "branch")))
    return _back(request)


def settings(request: Request) -> Response:
    """Rename, tag, delete."""
    serving, id = serving_of(request), request.path_params["id"]
    info = serving.store.describe(id, namespace=namespace_of(request))
    return serving.page(request, "settings.html", id=id, info=info)


async def describe(request: Request) -> Response:
    """A new title and tags."""
    form, serving = await form_of(request), serving_of(request)
    tags = form.get("tags", "").split(",")
    await run_in_threadpool(
        lambda: described(
            serving.store, namespace_of(request), request.path_params["id"], title=form.get("title", ""), tags=tags
        )
    )
    return _back(request)


async def delete(request: Request) -> Response:
    """Delete it, once its id was typed."""
    form, serving, id = await form_of(request), serving_of(request), request.path_params["id"]
    if form.get("confirmed") != id:
        raise HTTPException(400, "to delete the conversation, type its id as it stands there")
    namespace = namespace_of(request)
    serving.replies.stop(namespace, id)
    await run_in_threadpool(lambda: serving.store.delete(id, namespace=namespace, reason="deleted on its page"))
    serving.talks.forget(namespace)
    return RedirectResponse("/", 303)


def _key(request: Request) -> int:
    store = serving_of(request).store
    return store.branches.open(namespace=namespace_of(request), id=request.path_params["id"], create=False).conversation


def _back(request: Request) -> Response:
    return RedirectResponse(f"/c/{segment(request.path_params['id'])}", 303)
