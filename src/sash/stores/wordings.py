"""What requests say in the same words again and again, kept once: the row of a request holds the figures in it.

A figure is a number, or what begins as one or as a hash (`2,614`, `0.006543`, `5m`, `3f9b02`); what stands around the
figures of a text is its wording, a JSON array in the table `wordings`. A row without a wording holds its text whole.
The view `readable_requests` puts both together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sash.model.blocks import dumps
from sash.stores.transaction import Row, Transaction

TEXTS = ("why", "markers", "usage")
"""Columns of `requests` that are kept so, each with the id of its wording in another one beside it."""
FIND = "SELECT id FROM wordings WHERE hash = ?"
"""The id of a wording, given its hash."""
WORDED = (
    "w.text AS why_wording, m.text AS markers_wording, u.text AS usage_wording FROM requests r "
    "LEFT JOIN wordings w ON w.id = r.why_id LEFT JOIN wordings m ON m.id = r.markers_id "
    "LEFT JOIN wordings u ON u.id = r.usage_id"
)
"""Behind the columns that are wanted of requests, `TEXTS` among them: how rows for `whole` are read."""
READ = f"SELECT r.*, {WORDED}"
"""What a request is read from."""

_FIGURE = re.compile(r"(\b[a-f]*+\d(?:[0-9A-Za-z]|[.,-](?=\d))*+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parted:
    """A text of a column in its two parts."""

    column: str
    wording: str
    """JSON array of what stands before, between and behind the figures"""
    figures: str
    """with a space between them"""

    @property
    def hash(self) -> str:
        """Tells the wording from others: 32 hex digits."""
        return hashlib.sha256(f"{self.column} {self.wording}".encode()).hexdigest()[:32]


def parted(column: str, text: str) -> Parted:
    """A text in its parts."""
    pieces = _FIGURE.split(text)
    return Parted(column, dumps(pieces[::2]), " ".join(pieces[1::2]))


def text(wording: str | None, figures: str) -> str:
    """The text of which these are the parts; the figures are all of it where there is no wording."""
    if wording is None:
        return figures
    pairs = zip_longest(json.loads(wording), figures.split(" "), fillvalue="")
    return "".join(piece for pair in pairs for piece in pair)


def whole(row: Row) -> Mapping[str, Any]:
    """A row of `READ` with its texts as they were written."""
    found = dict(zip(row.keys(), row, strict=True))
    told = [name for name in TEXTS if found[name] is not None]
    return found | {name: text(found[f"{name}_wording"], found[name]) for name in told}


def used_by(requests: str) -> str:
    """A query for the ids of the wordings that the requests use which meet a condition."""
    return " UNION ".join(f"SELECT {name}_id AS id FROM requests WHERE {requests}" for name in TEXTS)


def of(columns: Mapping[str, Any]) -> list[Parted]:
    """The texts among the columns of a request, in parts."""
    return [parted(name, columns[name]) for name in TEXTS if name in columns]


def kept(db: Transaction, columns: Mapping[str, Any], ids: Iterable[tuple[Parted, int | None]]) -> dict[str, Any]:
    """The columns of a request as they are written, given its texts with the ids of their wordings."""
    written = dict(columns)
    for one, known in ids:
        written |= {one.column: one.figures, f"{one.column}_id": known or _add(db, one)}
    return written


def known(db: Transaction, columns: Mapping[str, Any]) -> list[tuple[Parted, int | None]]:
    """The texts among the columns of a request, in parts, with the ids of their wordings."""
    return [(one, db.one(f"SELECT ({FIND})", (one.hash,))[0]) for one in of(columns)]


def _add(db: Transaction, one: Parted) -> int:
    db.later("INSERT INTO wordings (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", (one.hash, one.wording))
    return int(db.one(FIND, (one.hash,))[0])
