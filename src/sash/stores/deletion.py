"""Deleting a whole conversation on a user's request: its turns, all that was made of them, and its name.

A conversation forked from it shares its past. What such a fork still shows goes over to the fork (to the oldest, where
several share it), with the summaries of that part; the rest is gone, overwritten in the file. What it cost stays,
summed by day and model without its name. It knows no API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sash.stores import attachments, profiles, wordings
from sash.stores.lineage import end_epochs, touch_forks
from sash.stores.port import Deleted
from sash.stores.transaction import Transaction
from sash.stores.usage import book, clear, sum_up
from sash.stores.wordings import TEXTS

REASON = "what it quoted was deleted"


def delete(db: Transaction, key: int, namespace: str, name: str) -> Deleted:
    """Delete a conversation (id), with all that was made of it but what it cost."""
    db.keep_ids()
    touch_forks(db, key)
    shared = _shared(db, key)
    heirs = {part.heir for part in shared}
    owner = db.one("SELECT owner FROM conversations WHERE id = ?", (key,))[0]
    book(db, {key, *heirs}, -1)
    names = _bequeath(db, key, shared)
    book(db, heirs, 1)
    sum_up(db, heirs)
    book(db, {key}, 1, owner="")  # what it cost stays; whose it was does not
    clear(db, namespace, owner)
    removed = _collect(db, key, shared)
    _forget_quotes(db)
    _forget(db, {"key": key, "namespace": namespace, "name": name})
    return Deleted(turns=removed, heirs=names)


# ---- what a fork still needs ------------------------------------------------------------------------

_SHARED = """WITH RECURSIVE line (branch, high, heir) AS (
    SELECT b.parent_id, b.fork_seq, b.conversation_id FROM branches b JOIN branches p ON p.id = b.parent_id
        WHERE p.conversation_id = ?1 AND b.conversation_id != ?1
    UNION SELECT p.parent_id, {least}(l.high, p.fork_seq), l.heir FROM line l JOIN branches p ON p.id = l.branch
        WHERE p.parent_id IS NOT NULL)
SELECT l.branch, max(l.high) AS high, min(l.heir) AS heir FROM line l JOIN branches b ON b.id = l.branch
WHERE b.conversation_id = ?1 GROUP BY l.branch"""

_USED_EPOCHS = """WITH used (id) AS (
    SELECT epoch_id FROM branches WHERE conversation_id != ?1 AND epoch_id IS NOT NULL
    UNION SELECT epoch_id FROM requests WHERE conversation_id != ?1)
UPDATE epochs SET conversation_id = (SELECT b.conversation_id FROM branches b WHERE b.id = epochs.branch_id)
WHERE conversation_id = ?1 AND (id IN (SELECT id FROM used)
    OR id IN (SELECT e.family FROM epochs e JOIN used u ON u.id = e.id))"""

_SUMMARIES_OF_OTHERS = """UPDATE summaries SET conversation_id =
    (SELECT b.conversation_id FROM branches b WHERE b.id = summaries.branch_id)
WHERE conversation_id = ?1 AND branch_id NOT IN (SELECT id FROM branches WHERE conversation_id = ?1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The turns of a branch, up to seq `high`, that other conversations show; `heir`: the oldest of these."""

    branch: int
    high: int
    heir: int


def _shared(db: Transaction, key: int) -> list[_Part]:
    found = db.all(_SHARED.format(least=db.sql.least), (key,))
    return [_Part(branch=row["branch"], high=row["high"], heir=row["heir"]) for row in found]


def _bequeath(db: Transaction, key: int, shared: list[_Part]) -> tuple[str, ...]:
    """Hand the shared parts over, with what a view of them needs; the names of who has them now."""
    db.execute(_SUMMARIES_OF_OTHERS, (key,))
    for part in shared:
        given = (part.heir, part.branch, part.high)
        db.execute("UPDATE turns SET conversation_id = ? WHERE branch_id = ? AND seq <= ?", given)
        db.execute(
            "UPDATE summaries SET conversation_id = ? WHERE branch_id = ? AND upto_seq <= ? AND conversation_id = ?",
            (*given, key),
        )
        db.execute("UPDATE branches SET conversation_id = ?, epoch_id = NULL WHERE id = ?", given[:2])
    db.execute(_USED_EPOCHS, (key,))
    heirs = sorted({part.heir for part in shared})
    find = "SELECT name FROM conversations WHERE id = ?"
    return tuple(db.one(find, (heir,))["name"] for heir in heirs)


# ---- what goes --------------------------------------------------------------------------------------

_BOOK = """INSERT INTO deleted_spending AS d
SELECT :namespace, {day} * 86400.0 AS day, model, count(*), sum(fresh), sum(read),
    sum(write_5m), sum(write_1h), sum(output), coalesce(sum(cost), 0.0)
FROM spending WHERE conversation_id = :key GROUP BY day, model
ON CONFLICT (namespace, at, model) DO UPDATE SET requests = d.requests + excluded.requests,
    fresh = d.fresh + excluded.fresh, read = d.read + excluded.read, write_5m = d.write_5m + excluded.write_5m,
    write_1h = d.write_1h + excluded.write_1h, output = d.output + excluded.output, cost = d.cost + excluded.cost"""

_ACCOUNT = "CASE :namespace WHEN '' THEN '' ELSE :namespace || '/' END || :name"
_ALERTS = f"'conversation ' || {_ACCOUNT} || ' '"

_STATEMENTS = (
    # what measures it or waits for it
    "DELETE FROM counts WHERE turn_id IN {turns}",
    "DELETE FROM mends WHERE turn_id IN {turns}",
    "DELETE FROM tool_results WHERE conversation_id = :key OR turn_id IN {turns}",
    "DELETE FROM pins WHERE conversation_id = :key OR turn_id IN {turns}",
    "DELETE FROM batch_items WHERE conversation_id = :key OR parent_id IN {summaries}",
    "DELETE FROM submissions WHERE conversation_id = :key",
    "DELETE FROM leases WHERE conversation_id = :key",
    "UPDATE submissions SET turn_id = NULL WHERE turn_id IN {turns}",
    "DELETE FROM summary_jobs WHERE conversation_id = :key",
    "DELETE FROM jobs WHERE kind NOT IN ('batches', 'retention') AND namespace = :namespace AND subject = :key",
    "DELETE FROM profile_read WHERE conversation_id = :key",
    "DELETE FROM profile_distillings WHERE conversation_id = :key",
    "DELETE FROM imported_requests WHERE conversation_id = :key",
    "DELETE FROM gaps WHERE namespace = :namespace AND conversation_id = :key",
    # replies remembered for it: tags name the conversation alone, so one of its name elsewhere asks again
    "DELETE FROM memos WHERE name IN (SELECT name FROM memo_tags WHERE tag = 'conversation:' || :name)",
    "DELETE FROM memo_tags WHERE name NOT IN (SELECT name FROM memos)",
    # what was made of it
    "DELETE FROM summary_sources WHERE summary_id IN {summaries}",
    "UPDATE summaries SET parent_id = NULL WHERE parent_id IN {summaries}",
    "DELETE FROM summaries WHERE conversation_id = :key",
    # requests, and every attempt at them
    "UPDATE attempts SET request_id = NULL WHERE request_id IN (SELECT id FROM requests WHERE conversation_id = :key)",
    "UPDATE attempts SET conversation = '' WHERE namespace = :namespace AND conversation = :name",
    f"DELETE FROM spend WHERE scope = 'conversation' AND key = {_ACCOUNT}",
    f"DELETE FROM alerts WHERE substr(name, 1, length({_ALERTS})) = {_ALERTS}",
    "CREATE TEMP TABLE gone_preambles (id BIGINT)",
    (
        "INSERT INTO gone_preambles SELECT preamble_id FROM requests WHERE conversation_id = :key "
        "UNION SELECT preamble_id FROM epochs WHERE conversation_id = :key "
        "UNION SELECT preamble_id FROM conversations WHERE id = :key AND preamble_id IS NOT NULL"
    ),
    "UPDATE conversations SET preamble_id = NULL WHERE id = :key",
    "DELETE FROM imported WHERE conversation_id = :key",
    "CREATE TEMP TABLE gone_wordings (id BIGINT)",
    f"INSERT INTO gone_wordings {wordings.used_by('conversation_id = :key')}",
    "DELETE FROM requests WHERE conversation_id = :key",
    (
        "DELETE FROM wordings WHERE id IN (SELECT id FROM gone_wordings)"
        + "".join(f" AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.{one}_id = wordings.id)" for one in TEXTS)
    ),
    "DROP TABLE gone_wordings",
    "DELETE FROM epochs WHERE conversation_id = :key",
    (
        "DELETE FROM gone_preambles WHERE EXISTS (SELECT 1 FROM epochs e WHERE e.preamble_id = gone_preambles.id) "
        "OR EXISTS (SELECT 1 FROM requests r WHERE r.preamble_id = gone_preambles.id) "
        "OR EXISTS (SELECT 1 FROM conversations c WHERE c.preamble_id = gone_preambles.id)"
    ),
    "DELETE FROM preamble_counts WHERE preamble_id IN (SELECT id FROM gone_preambles)",
    "DELETE FROM preambles WHERE id IN (SELECT id FROM gone_preambles)",
    "DROP TABLE gone_preambles",
    # its turns, with their index entries and vectors by trigger, and data that nobody else holds
    "CREATE TEMP TABLE gone_blobs AS SELECT DISTINCT hash FROM turn_blobs WHERE turn_id IN {turns}",
    "DELETE FROM turn_blobs WHERE turn_id IN {turns}",
    (
        "DELETE FROM blobs WHERE hash IN (SELECT hash FROM gone_blobs) "
        "AND NOT EXISTS (SELECT 1 FROM turn_blobs t WHERE t.hash = blobs.hash)"
    ),
    "DROP TABLE gone_blobs",
    "UPDATE turns SET origin_id = NULL WHERE origin_id IN {turns}",
    "DELETE FROM turns WHERE id IN {turns}",
    "DROP TABLE gone_turns",
    "DELETE FROM profile_reading WHERE branch_id IN (SELECT id FROM branches WHERE conversation_id = :key)",
    "DELETE FROM vectors_removed WHERE branch_id IN (SELECT id FROM branches WHERE conversation_id = :key)",
    "DELETE FROM branches WHERE conversation_id = :key",
    "DELETE FROM conversations WHERE id = :key",
)


def _collect(db: Transaction, key: int, shared: list[_Part]) -> int:
    """List the turns that go, and say how many."""
    db.execute("CREATE TEMP TABLE gone_turns (id BIGINT PRIMARY KEY)")
    own = "SELECT id FROM turns WHERE branch_id IN (SELECT id FROM branches WHERE conversation_id = ?)"
    db.execute(f"INSERT INTO gone_turns {own}", (key,))
    for part in shared:
        rest = "SELECT id FROM turns WHERE branch_id = ? AND seq > ?"
        db.execute(f"INSERT INTO gone_turns {rest}", (part.branch, part.high))
    return int(db.one("SELECT count(*) FROM gone_turns")[0])


def _forget_quotes(db: Transaction) -> None:
    """What quotes the turns that go; the epochs of other conversations that hold such quotes are over."""
    gone = [int(row["id"]) for row in db.execute("SELECT id FROM gone_turns")]
    profiles.delete(db, gone)
    end_epochs(db, attachments.forget_quoting(db, gone), REASON)


def _forget(db: Transaction, given: dict[str, Any]) -> None:
    """All of it, but what it cost."""
    db.execute(_BOOK.format(day=db.sql.whole("at / 86400")), given)
    for statement in _STATEMENTS:
        db.execute(
            statement.format(
                turns="(SELECT id FROM gone_turns)", summaries="(SELECT id FROM summaries WHERE conversation_id = :key)"
            ),
            given,
        )
