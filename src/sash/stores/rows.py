"""Rows to values and back: the one place that knows both the columns and the classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sys import intern
from typing import Any

from sash.model.blocks import dumps
from sash.model.counts import Count, shared_count
from sash.model.epochs import Epoch, Expected, Marker, Relief, Request, Sent
from sash.model.preamble import Preamble
from sash.model.requests import NewRequest, Paid
from sash.model.summaries import Summary
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.model.window import LastRequest
from sash.stores.transaction import Row

GAPS_READ = 64
"""Gaps between requests that a window holds at most."""


TURN = (
    "id", "branch_id", "seq", "role", "plain", "state", "at", "speaker", "content", "origin_id", "model", "mended",
)  # fmt: skip
"""The columns of `turns` that a turn is made of: not its text, which SQLite parses the content for."""
COUNT = ("tokens", "upper", "source", "base")
"""The columns of a count, the last ones of the rows that hold one."""


def turn(columns: tuple[Any, ...]) -> Turn:
    """The columns `TURN`, as they stand: what else belongs to a turn is added by `sash.stores.blobs`."""
    turn = object.__new__(Turn)  # by the hundred: in a fraction of the time of `__init__` of a frozen class
    own = vars(turn)
    id, branch, seq, role, plain, state, at, speaker, content, origin, model, _ = columns
    own["id"], own["branch"], own["seq"], own["at"], own["speaker"] = id, branch, seq, at, speaker
    own["content"], own["origin"] = content, origin
    own["role"], own["plain"], own["state"], own["model"] = intern(role), bool(plain), intern(state), intern(model)
    own["attachment"] = own["mended"] = None
    return turn


def epoch(row: Row) -> Epoch:
    """A row of `epochs` joined with its preamble (columns `system`, `tools`) and its summary."""
    return Epoch(
        id=row["id"],
        model=row["model"],
        preamble=Preamble(system=row["system"], tools=row["tools"]),
        first_seq=row["start_seq"],
        thinking_stripped_to=row["base_seq"],
        pinned_seqs=listed(row["pins"]),
        instructions=listed(row["instructions"]),
        tagged=bool(row["tagged"]),
        attachments_from=row["attached_seq"],
        relief=relief(json.loads(row["relief"])),
        summary=summary(row) if row["summary_id"] else None,
        family=row["family"] or row["id"],
        strategy=row["strategy"],
        reason=row["reason"],
    )


def summary(row: Row) -> Summary:
    """The columns of a summary beside those of something else."""
    return Summary(
        id=row["summary_id"],
        upto=row["upto_seq"],
        text=row["summary_text"],
        content=row["summary_content"],
        verbatim=listed(row["verbatim"]),
    )


def listed(text: str) -> tuple[Any, ...]:
    """What a JSON array holds, which is mostly nothing."""
    return tuple(json.loads(text)) if text != "[]" else ()


def relief(stored: Mapping[str, Any]) -> Relief:
    """What the column `relief` says; absent fields are those of no relief."""
    return Relief(
        cleared=frozenset(stored.get("cleared", ())),
        dropped=frozenset(stored.get("dropped", ())),
        results=frozenset((seq, call) for seq, call in stored.get("results", ())),
        served=stored.get("served", 0),
        inputs=stored.get("inputs", False),
        spared=tuple(stored.get("spared", ())),
        drops=stored.get("drops", False),
        detached=frozenset(stored.get("detached", ())),
    )


def relief_column(found: Relief) -> str:
    """The JSON text of a relief, "{}" for none."""
    stored = {
        "cleared": sorted(found.cleared),
        "dropped": sorted(found.dropped),
        "results": sorted(found.results),
        "served": found.served,
        "inputs": found.inputs,
        "spared": list(found.spared),
        "drops": found.drops,
        "detached": sorted(found.detached),
    }
    return dumps({name: value for name, value in stored.items() if value})


def count(row: Row) -> Count | None:
    """The last columns of a row, which are `COUNT`; None where the outer join found none."""
    columns = row[-len(COUNT) :]
    return None if columns[0] is None else shared_count(*columns)


def sent(row: Row | Mapping[str, Any]) -> Sent:
    """What a row of `requests` says was sent."""
    return Sent(
        model=row["model"],
        max_tokens=row["max_tokens"],
        options=json.loads(row["options"]),
        betas=listed(row["betas"]),
        headers=json.loads(row["headers"]),
        key=row["key"],
        markers=tuple(Marker(**marker) for marker in json.loads(row["markers"])),
        last=row["last_seq"],
        left_out=listed(row["left_out"]),
    )


def usage(row: Row | Mapping[str, Any]) -> Usage | None:
    """The usage columns of a request, or None before its reply."""
    if row["usage"] is None:
        return None
    return Usage(
        fresh=row["fresh"],
        read=row["read"],
        write_5m=row["write_5m"],
        write_1h=row["write_1h"],
        output=row["output"],
        thinking=row["thinking"],
    )


_LAST = (
    "at", "branch_id", "model", "max_tokens", "options", "betas", "headers", "key", "markers", "last_seq", "left_out",
    "usage", "fresh", "read", "write_5m", "write_1h", "output", "thinking", "expected_upper", "why",
)  # fmt: skip
_FIRST = "SELECT f.last_seq FROM requests f WHERE f.epoch_id = r.epoch_id ORDER BY f.id LIMIT 1"
LAST = f"{', '.join(f'r.{name}' for name in _LAST)}, ({_FIRST}) AS first_tail"
"""The columns that `last_request` is made of: those of all others take a quarter more of the time."""


def last_request(row: Row | Mapping[str, Any]) -> LastRequest:
    """A row of `requests` that has its usage."""
    return LastRequest(
        at=row["at"],
        sent=sent(row),
        usage=usage(row) or Usage(),
        wire=json.loads(row["usage"]),
        first=row["first_tail"],
        upper=row["expected_upper"],
        why=json.loads(row["why"]),
    )


def learned(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a strategy learned, as it is read back from its JSON text."""
    read: dict[str, Any] = json.loads(dumps(value))
    return read


def request(row: Row | Mapping[str, Any]) -> Request:
    """A row of `requests` with its texts."""
    return Request(
        id=row["id"],
        number=row["number"],
        branch=row["branch_id"],
        epoch=row["epoch_id"],
        turn=row["turn_id"],
        reply=row["reply_id"],
        state=row["state"],
        at=row["at"],
        sent=sent(row),
        expected=Expected(
            prompt=row["expected_prompt"],
            upper=row["expected_upper"],
            read=row["expected_read"],
            write=row["expected_write"],
            fresh=row["expected_fresh"],
            dollars=None if row["expected_prompt"] and not row["expected_cost"] else row["expected_cost"],
        ),
        usage=usage(row),
        cost=row["cost"],
        latency=row["latency"],
        stop_reason=row["stop_reason"],
        message_id=row["message_id"],
        error=row["error"],
        why=json.loads(row["why"]),
        extra=json.loads(row["extra"]),
        surprise=row["surprise"] or "",
        body_hash=row["body_hash"],
    )


def request_columns(new: NewRequest) -> dict[str, Any]:
    """The columns of a request about to be sent, ids apart."""
    expected = new.expected
    return {
        "state": "sent",
        "plain": new.plain,
        "at": new.at,
        "model": new.sent.model,
        "max_tokens": new.sent.max_tokens,
        "options": dumps(new.sent.options),
        "betas": dumps(list(new.sent.betas)),
        "headers": dumps(dict(new.sent.headers)),
        "key": new.sent.key,
        "markers": dumps([_columns(marker) for marker in new.sent.markers]),
        "last_seq": new.sent.last,
        "left_out": dumps(list(new.sent.left_out)),
        "body_hash": new.body_hash,
        "why": dumps(new.why),
        "expected_prompt": expected.prompt,
        "expected_upper": expected.upper,
        "expected_read": expected.read,
        "expected_write": expected.write,
        "expected_fresh": expected.fresh,
        "expected_cost": expected.dollars or 0.0,  # 0 stands for an unknown price: no prompt costs nothing
    }


def _columns(value: Marker | Usage) -> dict[str, Any]:
    """The fields of a value of plain ones, in their order: `asdict` would copy each deeply, at every request."""
    return {name: getattr(value, name) for name in value.__slots__}


def usage_columns(used: Usage | None, as_sent: Mapping[str, Any]) -> dict[str, Any]:
    """The usage columns of a request that was answered."""
    if used is None:
        return {}
    return {**_columns(used), "usage": dumps(dict(as_sent))}


def paid_columns(paid: Paid | None) -> dict[str, Any]:
    """The usage columns and the cost of a request that failed; none where nothing is known to be billed."""
    return {} if paid is None else {**usage_columns(paid.usage, paid.usage_json), "cost": paid.cost}
