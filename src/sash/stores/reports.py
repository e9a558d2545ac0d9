"""Read-only questions about many conversations: listing, search, usage. For people and the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from sash.errors import InvalidOption, NotFound
from sash.model.blocks import dumps
from sash.model.fitting import check_whole, checked
from sash.recall.words import runs, words
from sash.stores import wordings
from sash.stores.characters import characters_match
from sash.stores.port import ConversationInfo, CutRow, Hit, UsageRow
from sash.stores.transaction import Database, Row, Rows, Transaction

_LISTING = """SELECT c.*, coalesce((SELECT max(seq) FROM turns t WHERE t.branch_id = c.branch_id),
        (SELECT fork_seq FROM branches b WHERE b.id = c.branch_id)) AS turns
    FROM conversations c"""

CANDIDATES = 200
"""Turns that are compared, the newest of those that hold all words: what a search costs has an end."""
_NEWEST = f"ORDER BY {{0}}.rowid DESC LIMIT {CANDIDATES}"
AROUND = 40
"""Characters shown to each side of a run that was found."""

_GROUPS = {
    "day": "{day}",
    "model": "r.model",
    "conversation": "coalesce(c.name, '(deleted)')",
    "user": "coalesce(c.owner, '')",
    "project": "coalesce({project}, '')",
    "origin": "r.origin",
}
_KEPT = {"day": "u.day", "model": "u.model", "user": "u.owner"}
"""The groups that usage is kept by."""
_CUT = '"cut":true'
"""What a request says for which old turns left the view."""
_ALL = "'all'"
"""The one group where none are asked for."""


class Reports:
    """Many conversations at once. See `sash.stores.port.Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @checked
    def conversations(
        self,
        *,
        namespace: str = "",
        user: str | None = None,
        title: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        dollars: float | None = None,
        limit: int = 50,
        before: ConversationInfo | None = None,
    ) -> Sequence[ConversationInfo]:
        """The newest used first; pass the last one as `before` for the next page."""
        check_whole("limit", limit, least=0, of="conversations")
        if not isinstance(before, ConversationInfo | None):
            raise InvalidOption(f"before={before!r:.60}: give the last one of a page", option="before", value=before)
        with self._database.reading() as db:
            told = "(c.name || ' ' || coalesce(c.title, ''))"
            tags = db.sql.names(db.sql.array("c.metadata", "tags"))
            conditions: dict[str, Sequence[Any] | None] = {  # each asked for alone: so that an index serves it
                "c.namespace = ?": (namespace,),
                "c.owner = ?": None if user is None else (user,),
                f"({db.sql.contains(told, '?')} OR {db.sql.contains(f'lower({told})', '?')})": (
                    None if title is None else (title, title.lower())
                ),
                "c.model = ?": None if model is None else (model,),
                f"? IN (SELECT value FROM {tags})": None if tag is None else (tag,),
                "c.dollars >= ?": None if dollars is None else (dollars,),
                "(c.updated_at, c.name) < (?, ?)": None if before is None else (before.updated_at, before.id),
            }
            only = [condition for condition, values in conditions.items() if values is not None]
            given = [value for values in conditions.values() for value in values or ()]
            found = db.execute(
                f"{_LISTING} WHERE {' AND '.join(only)} ORDER BY c.updated_at DESC, c.name DESC LIMIT ?",
                (*given, limit),
            )
            return [_info(row) for row in found]

    @checked
    def dearest(self, *, namespace: str = "", limit: int = 20) -> Sequence[ConversationInfo]:
        """The conversations that cost most."""
        check_whole("limit", limit, least=0, of="conversations")
        with self._database.reading() as db:
            found = db.execute(
                f"{_LISTING} WHERE c.namespace = ? AND c.dollars > 0 ORDER BY c.dollars DESC, c.id LIMIT ?",
                (namespace, limit),
            )
            return [_info(row) for row in found]

    @checked
    def users(self, *, namespace: str = "", after: str = "", limit: int = 50) -> Sequence[str]:
        """Users by name: those who have a conversation, a memory file or an entry in a profile."""
        check_whole("limit", limit, least=0, of="users")
        each = " UNION ".join(
            f"SELECT owner FROM (SELECT DISTINCT owner FROM {table} WHERE namespace = ?1 AND owner > ?2 "
            f"ORDER BY owner LIMIT ?3) {table}_owners"
            for table in ("conversations", "memory_files", "profile_entries")
        )
        with self._database.reading() as db:
            return [row["owner"] for row in db.execute(f"{each} ORDER BY owner LIMIT ?3", (namespace, after, limit))]

    @checked
    def describe(
        self, id: str, *, namespace: str = "", title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> ConversationInfo:
        """Set title and app metadata; None leaves a field as it is. Raises NotFound, InvalidOption."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE conversations SET title = coalesce(?, title), metadata = coalesce(?, metadata) "
                "WHERE namespace = ? AND name = ?",
                (title, None if metadata is None else dumps(dict(metadata)), namespace, id),
            )
            row = db.one(f"{_LISTING} WHERE c.namespace = ? AND c.name = ?", (namespace, id))
        if row is None:
            raise NotFound(f"no conversation {id!r} in {self._database.path!r}", kind="conversation", key=id)
        return _info(row)

    @checked
    def search(
        self,
        query: str,
        *,
        namespace: str = "",
        user: str | None = None,
        conversation: str | None = None,
        limit: int = 20,
    ) -> Sequence[Hit]:
        """Turns that hold all words of `query`, the best first. Signs and operators are taken as text."""
        check_whole("limit", limit, least=0, of="turns")
        asked, characters = match_words(query), runs(query)
        if not asked and not characters:
            return []
        index = "turns_fts" if asked else "turns_characters"
        with self._database.reading() as db:
            strings = [characters_match(db, run) for run in characters]
            if not all(strings):
                return []
            asked_of = {"c.namespace = ?2": namespace, "c.name = ?3": conversation, "c.owner = ?4": user}
            conditions = [condition for condition, value in asked_of.items() if value is not None]
            conditions += [_holding(db, at) for at in range(6, 6 + 2 * len(strings), 2)]
            held = chain.from_iterable(zip(strings, characters, strict=True))
            found = db.execute(
                _found(db, index, conditions, newest=not _all_compared(db, index, namespace)),
                (asked or strings[0], namespace, conversation, user, limit, *held),
            )
            return [_hit(row, characters) for row in found]

    @checked
    def usage(
        self,
        *,
        by: Sequence[str] = ("day", "model"),
        namespace: str = "",
        user: str | None = None,
        conversation: str | None = None,
        since: str = "",
        most: int | None = None,
    ) -> Sequence[UsageRow]:
        """Sums over answered requests, with those for summaries, imported ones, and those of deleted conversations.

        `by`: day, model, conversation, user, project (of the conversation's metadata), origin ("sent" or "imported").
        Raises InvalidOption for an unknown group.
        """
        for name in by:
            if name not in _GROUPS:
                raise InvalidOption(
                    f"cannot group usage by {name!r}; groups are {', '.join(_GROUPS)}", option="by", value=name
                )
        if most is not None:
            check_whole("most", most, of="groups")
        kept = conversation is None and all(name in _KEPT for name in by)
        order = "" if most is None else f"ORDER BY dollars DESC LIMIT {most}"
        with self._database.reading() as db:
            found = (
                _kept_usage(db, by, namespace, user, since, order)
                if kept
                else _summed(db, by, namespace, user, conversation, since, order)
            )
            return [_usage_row(row) for row in found if row[0]]

    @checked
    def cuts(self, *, namespace: str = "") -> CutRow:
        """How often old turns left the view, and how often for the price alone."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT r.why, w.text AS wording FROM requests r JOIN conversations c ON c.id = r.conversation_id "
                f"LEFT JOIN wordings w ON w.id = r.why_id WHERE c.namespace = ?1 AND ({db.sql.contains('r.why', '?2')} "
                f"OR {db.sql.contains('w.text', '?3')})",
                (namespace, _CUT, dumps(_CUT)[1:-1]),
            )
            decided = [json.loads(wordings.text(row["wording"], row["why"])) for row in found]
        saved = [float(why.get("saves", 0.0)) for why in decided]
        return CutRow(
            cuts=sum(why["rule"] != "first" for why in decided),
            for_price=sum(map(bool, saved)),
            saved=sum(saved),
        )


def _found(db: Transaction, index: str, conditions: Sequence[str], *, newest: bool) -> str:
    """What finds the ?5 best turns that hold ?1, of the newest or of all that do.

    SQLite begins with the index, as it is written; a server with whatever narrows it down most: the words, or what
    belongs to a tenant, by its branches.
    """
    snippet = db.sql.snippet(index, "t.text", "?1") if index == "turns_fts" else "''"  # that of characters has no text
    held = " AND ".join((db.sql.matches_of(index, "?1", "?2"), *conditions))
    return (
        "SELECT * FROM (SELECT c.name, t.id, t.seq, t.role, t.at, t.text, t.place, "
        f"{db.sql.worth(index, 't.text', '?1')} AS score, {snippet} AS snippet "
        f"FROM {index} CROSS JOIN turns t CROSS JOIN branches b CROSS JOIN conversations c "
        f"WHERE t.place = {index}.rowid AND b.id = t.branch_id AND c.id = b.conversation_id AND {held} "
        f"{_NEWEST.format(index) if newest else ''}) found ORDER BY score, place DESC LIMIT ?5"
    )


def _all_compared(db: Transaction, index: str, namespace: str) -> bool:
    """Whether a tenant has no more turns than are compared.

    Then the order in which they are found does not matter. From its end, SQLite's index reads whole pages of what
    others said, for every word; from its beginning, it passes them over at a fraction of that.
    """
    whose = db.sql.of_tenant(index, "?1")
    some = f"SELECT 1 FROM {index} WHERE {whose} LIMIT {CANDIDATES + 1}"
    return bool(whose) and int(db.one(f"SELECT count(*) FROM ({some}) some", (namespace,))[0]) <= CANDIDATES


def _holding(db: Transaction, at: int) -> str:
    """That a turn holds a run of characters: asked of the index in value `at`, and said in the value behind it."""
    held = f"SELECT rowid FROM turns_characters WHERE {db.sql.matches_of('turns_characters', f'?{at}', '?2')}"
    return f"t.place IN ({held}) AND {db.sql.contains('t.text', f'?{at + 1}')}"


def _kept_usage(db: Transaction, by: Sequence[str], namespace: str, user: str | None, since: str, order: str) -> Rows:
    """By any of day, model and user."""
    groups = ", ".join(_KEPT[name] for name in by)
    return db.execute(
        "SELECT sum(u.requests), sum(u.fresh), sum(u.read), sum(u.written), sum(u.output), sum(u.cost) AS dollars, "
        f"sum(u.unpriced), {groups or _ALL} FROM usage_days u WHERE u.namespace = ? AND u.day >= ? "
        + ("" if user is None else "AND u.owner = ? ")
        + (f"GROUP BY {groups} {order or f'ORDER BY {groups}'}" if groups else ""),
        (namespace, since) if user is None else (namespace, since, user),
    )


def _summed(
    db: Transaction,
    by: Sequence[str],
    namespace: str,
    user: str | None,
    conversation: str | None,
    since: str,
    order: str,
) -> Rows:
    """Conversation by conversation, from its requests and summaries."""
    day = db.sql.date("r.at")
    groups = ", ".join(_GROUPS[name] for name in by).format(day=day, project=db.sql.member("c.metadata", "project"))
    one = "SELECT id FROM conversations WHERE namespace = ?1 AND name = ?4"
    only = "" if conversation is None else f"AND r.conversation_id = ({one}) "
    return db.execute(
        "SELECT sum(r.requests), sum(r.fresh), sum(r.read), sum(r.write_5m + r.write_1h), sum(r.output), "
        "coalesce(sum(r.cost), 0.0) AS dollars, coalesce(sum(r.requests) FILTER (WHERE r.cost IS NULL), 0), "
        f"{groups or _ALL} FROM spending r LEFT JOIN conversations c ON c.id = r.conversation_id "
        f"WHERE coalesce(c.namespace, r.namespace) = ?1 AND (c.owner = ?2 OR ?2 IS NULL) AND {day} >= ?3 {only}"
        + (f"GROUP BY {groups} {order or f'ORDER BY {groups}'}" if groups else ""),
        (namespace, user, since) if conversation is None else (namespace, user, since, conversation),
    )


def match_words(query: str) -> str:
    """An FTS5 expression that asks for every word of `query` as plain text; "" when it holds none."""
    return " ".join(f'"{word}"' for word in words(query))


def _info(row: Row) -> ConversationInfo:
    return ConversationInfo(
        id=row["name"],
        namespace=row["namespace"],
        user=row["owner"],
        title=row["title"],
        metadata=json.loads(row["metadata"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        turns=row["turns"],
        requests=row["requests"],
        dollars=row["dollars"],
        unpriced=row["unpriced"],
        model=row["model"],
    )


def _hit(row: Row, characters: Sequence[str]) -> Hit:
    return Hit(
        conversation=row["name"],
        turn=row["id"],
        seq=row["seq"],
        role=row["role"],
        at=row["at"],
        snippet=row["snippet"] or _around(row["text"], characters[0]),
        score=row["score"],
    )


def _around(text: str, run: str) -> str:
    """A text's passage around a run of characters, marked as the other snippets are."""
    at = max(0, text.find(run))
    start, end = max(0, at - AROUND), at + len(run)
    marked = f"{text[start:at]}[{text[at:end]}]{text[end : end + AROUND]}"
    return f"{'... ' if start else ''}{marked}{' ...' if end + AROUND < len(text) else ''}"


def _usage_row(row: Row) -> UsageRow:
    requests, fresh, read, written, output, dollars, unpriced, *group = tuple(row)
    return UsageRow(
        group=tuple(map(str, group)),
        requests=requests,
        fresh=fresh,
        read=read,
        written=written,
        output=output,
        dollars=dollars,
        unpriced=unpriced,
    )
