"""The tables, as numbered migrations: append a function, never change one; then run `scripts/schema.py`.

A person can read the file with any SQLite tool: times are unix seconds (REAL), sizes tokens, costs
dollars, content the exact JSON text that was sent. Views answer the usual questions. Importing this takes
a tenth of a second (sqlite-utils), so only a file of an older sash loads it: a new one is made by `schema.sql`.
"""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database, Migrations

from sash.errors import InvalidOption
from sash.model.preamble import Preamble, preamble
from sash.stores.wordings import TEXTS, parted

migrations = Migrations("sash")


@migrations()
def m001_record(db: Database) -> None:
    """Conversations, branches, turns with full-text search, epochs, requests, counts."""
    for statement in _RECORD:
        db.execute(statement)
    db.table("turns").enable_fts(["text"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")


@migrations()
def m002_views(db: Database) -> None:
    """What did yesterday cost; which requests missed the cache; cost by conversation."""
    for statement in _VIEWS:
        db.execute(statement)


@migrations()
def m003_calibration(db: Database) -> None:
    """What usage taught the estimator, by model and tokenizer base; shared by all conversations of the file."""
    db.execute(
        "CREATE TABLE calibration (model TEXT NOT NULL, base TEXT NOT NULL, state TEXT NOT NULL, "
        "lessons INTEGER NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (model, base)) STRICT, WITHOUT ROWID"
    )


@migrations()
def m004_surprise(db: Database) -> None:
    """Where a bill differed from its prediction: why. The view of cache misses shows it."""
    db.execute("ALTER TABLE requests ADD COLUMN surprise TEXT")
    db.execute("DROP VIEW cache_misses")
    db.execute(
        """CREATE VIEW cache_misses AS
        SELECT c.namespace, c.name AS conversation, r.number, datetime(r.at, 'unixepoch') AS sent_at, r.model,
            r.expected_read, r.read, r.expected_read - r.read AS missed_tokens, r.surprise
        FROM requests r JOIN conversations c ON c.id = r.conversation_id
        WHERE r.surprise IS NOT NULL ORDER BY r.id"""
    )


@migrations()
def m005_pins_of_turns(db: Database) -> None:
    """A pin belongs to a turn: another branch has another turn of the same number."""
    db.execute("ALTER TABLE pins RENAME TO pins_by_seq")
    db.execute(
        """CREATE TABLE pins (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        created_at REAL NOT NULL,
        PRIMARY KEY (conversation_id, turn_id)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        "INSERT INTO pins SELECT p.conversation_id, max(t.id), p.created_at FROM pins_by_seq p JOIN turns t "
        "ON t.conversation_id = p.conversation_id AND t.seq = p.seq AND t.plain GROUP BY p.conversation_id, p.seq"
    )
    db.execute("DROP TABLE pins_by_seq")


@migrations()
def m006_tool_results(db: Database) -> None:
    """Results of tool calls between the call's end and the turn that sends them: what a crash there must not lose."""
    db.execute(
        """CREATE TABLE tool_results (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        call_id TEXT NOT NULL,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        block TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (turn_id, call_id)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX tool_results_conversation ON tool_results (conversation_id)")


@migrations()
def m007_instructions(db: Database) -> None:
    """Which instructions an epoch places again, and in which form; where a branch's instructions are."""
    db.execute("ALTER TABLE epochs ADD COLUMN instructions TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE epochs ADD COLUMN tagged INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX turns_instructions ON turns (branch_id, seq) WHERE role = 'system'")


@migrations()
def m008_relief(db: Database) -> None:
    """What an epoch sends otherwise than recorded, for tool runs that outgrew their budget."""
    db.execute("ALTER TABLE epochs ADD COLUMN relief TEXT NOT NULL DEFAULT '{}'")


@migrations()
def m009_recall(db: Database) -> None:
    """Indexes ordered by branch and seq (`place`), so that a search costs what one conversation holds.

    Words with their English endings cut; single characters of scripts without spaces; vectors. A turn whose text
    changes or goes takes its entries along.
    """
    for statement in _RECALL:
        db.execute(statement)


@migrations()
def m010_blobs(db: Database) -> None:
    """Big base64 data, once for all turns that hold it, and where in their content it belongs."""
    db.execute("CREATE TABLE blobs (hash TEXT PRIMARY KEY, base64 INTEGER NOT NULL, data BLOB NOT NULL) STRICT")
    db.execute(
        """CREATE TABLE turn_blobs (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        position INTEGER NOT NULL,
        hash TEXT NOT NULL REFERENCES blobs (hash),
        PRIMARY KEY (turn_id, position)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX turn_blobs_hash ON turn_blobs (hash)")


@migrations()
def m011_fresh(db: Database) -> None:
    """Why the next request of a branch must begin an epoch: a repair took turns out of its view."""
    db.execute("ALTER TABLE branches ADD COLUMN fresh TEXT NOT NULL DEFAULT ''")


@migrations()
def m012_summaries(db: Database) -> None:
    """Summaries with their sources, who is making one, and which epoch sends which; reports count their cost."""
    for statement in _SUMMARIES:
        db.execute(statement)


@migrations()
def m013_submissions(db: Database) -> None:
    """What was submitted, by client token and content, so that the same is answered once."""
    db.execute(
        """CREATE TABLE submissions (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        token TEXT,
        digest TEXT NOT NULL,
        arrived REAL NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'answered', 'failed')),
        machine TEXT NOT NULL,
        process INTEGER NOT NULL,
        until REAL NOT NULL,
        turn_id INTEGER REFERENCES turns (id) ON DELETE SET NULL,
        numbers TEXT NOT NULL DEFAULT '[]'
    ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX submissions_token ON submissions (conversation_id, token) WHERE token IS NOT NULL")
    db.execute("CREATE INDEX submissions_newest ON submissions (conversation_id, id)")


@migrations()
def m014_attachments(db: Database) -> None:
    """What recall sent with a turn, which older turns that quotes, and from which turn on a view shows attachments."""
    db.execute(
        """CREATE TABLE attachments (
        turn_id INTEGER PRIMARY KEY REFERENCES turns (id),
        content TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        created_at REAL NOT NULL
    ) STRICT"""
    )
    db.execute(
        """CREATE TABLE attachment_sources (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        source_id INTEGER NOT NULL REFERENCES turns (id),
        why TEXT NOT NULL,
        PRIMARY KEY (turn_id, source_id)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX attachment_sources_source ON attachment_sources (source_id)")
    db.execute("ALTER TABLE epochs ADD COLUMN attached_seq INTEGER NOT NULL DEFAULT 0")


@migrations()
def m015_batches(db: Database) -> None:
    """Batches of summaries handed in, and the items that wait for their result: what a restart in between must find."""
    for statement in _BATCHES:
        db.execute(statement)


@migrations()
def m016_resilience(db: Database) -> None:
    """What accounts with ceilings hold, which alerts were raised, and every attempt at a request."""
    db.execute(
        """CREATE TABLE spend (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        period TEXT NOT NULL,
        dollars REAL NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (scope, key, period)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE TABLE alerts (name TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID")
    db.execute(
        """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        request_id INTEGER REFERENCES requests (id) ON DELETE SET NULL,
        namespace TEXT NOT NULL,
        conversation TEXT NOT NULL,
        at REAL NOT NULL,
        model TEXT NOT NULL,
        retry INTEGER NOT NULL,
        status INTEGER,
        error TEXT NOT NULL DEFAULT '',
        held_by TEXT NOT NULL DEFAULT '' CHECK (held_by IN ('', 'limit', 'breaker', 'ceiling', 'memo', 'retries')),
        waited REAL NOT NULL,
        latency REAL NOT NULL,
        fresh INTEGER NOT NULL DEFAULT 0,
        read INTEGER NOT NULL DEFAULT 0,
        written INTEGER NOT NULL DEFAULT 0,
        output INTEGER NOT NULL DEFAULT 0,
        cost REAL NOT NULL DEFAULT 0
    ) STRICT"""
    )
    db.execute("CREATE INDEX attempts_at ON attempts (namespace, at)")
    db.execute("CREATE INDEX attempts_request ON attempts (request_id) WHERE request_id IS NOT NULL")


@migrations()
def m017_beside(db: Database) -> None:
    """Which model replied, which one is in force, and which epochs on several models go on side by side."""
    db.execute("ALTER TABLE turns ADD COLUMN model TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE conversations ADD COLUMN model TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE epochs ADD COLUMN family INTEGER REFERENCES epochs (id)")
    db.execute("CREATE INDEX epochs_family ON epochs (family, model) WHERE family IS NOT NULL")
    db.execute("UPDATE turns SET model = r.model FROM requests r WHERE r.reply_id = turns.id")
    db.execute(
        "UPDATE conversations SET model = e.model FROM branches b JOIN epochs e ON e.id = b.epoch_id "
        "WHERE b.id = conversations.branch_id"
    )


@migrations()
def m018_memos(db: Database) -> None:
    """Replies remembered for identical requests, by what they may be forgotten, and how often they served."""
    db.execute(
        """CREATE TABLE memos (
        name TEXT PRIMARY KEY,
        content BLOB NOT NULL,
        kind TEXT NOT NULL,
        request_id TEXT NOT NULL,
        size INTEGER NOT NULL,
        cost REAL NOT NULL,
        at REAL NOT NULL,
        until REAL NOT NULL,
        used_at REAL NOT NULL
    ) STRICT"""
    )
    db.execute("CREATE INDEX memos_used ON memos (used_at, at, size)")
    db.execute("CREATE INDEX memos_until ON memos (until)")
    db.execute(
        """CREATE TABLE memo_tags (
        name TEXT NOT NULL REFERENCES memos (name) ON DELETE CASCADE,
        tag TEXT NOT NULL,
        PRIMARY KEY (tag, name)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX memo_tags_name ON memo_tags (name)")
    db.execute("CREATE TABLE memo_use (asked INTEGER NOT NULL, hits INTEGER NOT NULL, saved REAL NOT NULL) STRICT")
    db.execute("INSERT INTO memo_use VALUES (0, 0, 0.0)")


@migrations()
def m019_keys(db: Database) -> None:
    """The names of the keys that requests went with, and the one that a conversation sticks to."""
    db.execute("ALTER TABLE requests ADD COLUMN key TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE conversations ADD COLUMN key TEXT NOT NULL DEFAULT ''")


@migrations()
def m020_bulk(db: Database) -> None:
    """Jobs handed in as batches, and the requests that wait for their result."""
    for statement in _BULK:
        db.execute(statement)


@migrations()
def m021_forgotten(db: Database) -> None:
    """What was forgotten on a user's request: which turns, when and why, without a word of theirs."""
    db.execute(
        """CREATE TABLE forgotten (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        turns TEXT NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT"""
    )


@migrations()
def m022_deleted(db: Database) -> None:
    """What deleted conversations cost, by day and model; whose audit it is, by name; ids that are not given again."""
    for statement in _DELETED:
        db.execute(statement)


@migrations()
def m023_imports(db: Database) -> None:
    """System prompt and tools of a conversation before its first request; what of a foreign file is recorded already.

    Imports used to keep system prompt and tools among the app's metadata: they come into force here, too.
    """
    db.execute("ALTER TABLE conversations ADD COLUMN preamble_id INTEGER REFERENCES preambles (id)")
    db.execute(
        """CREATE TABLE imported (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        key TEXT NOT NULL,
        PRIMARY KEY (conversation_id, key)
    ) STRICT, WITHOUT ROWID"""
    )
    unsent = "SELECT id, metadata FROM conversations WHERE requests = 0 AND metadata LIKE '%\"format\"%'"
    for key, metadata in db.execute(unsent).fetchall():
        brought = _brought(json.loads(metadata))
        if brought != Preamble():
            columns = (brought.hash, brought.system, brought.tools)
            db.execute("INSERT OR IGNORE INTO preambles (hash, system, tools) VALUES (?, ?, ?)", columns)
            place = "UPDATE conversations SET preamble_id = (SELECT id FROM preambles WHERE hash = ?) WHERE id = ?"
            db.execute(place, (brought.hash, key))


def _brought(metadata: dict[str, Any]) -> Preamble:
    try:
        return preamble(metadata.get("system"), metadata.get("tools"))
    except InvalidOption:  # the app's own words, of the same names
        return Preamble()


@migrations()
def m024_changed(db: Database) -> None:
    """Turns that are sent otherwise than they were (redacted, taken out of the view), and the last epoch before that.

    Every epoch up to that one is over wherever it holds the turn, on branches still to come too.
    """
    db.execute("ALTER TABLE turns ADD COLUMN changed_after INTEGER")
    db.execute("ALTER TABLE turns ADD COLUMN changed_why TEXT")
    db.execute("CREATE INDEX turns_changed ON turns (branch_id, seq) WHERE changed_after IS NOT NULL")


@migrations()
def m025_mends(db: Database) -> None:
    """In which form turns are sent since a repair, from which request on, and whose words moved there."""
    db.execute("ALTER TABLE turns ADD COLUMN mended INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """CREATE TABLE mends (
        id INTEGER PRIMARY KEY,
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        content TEXT NOT NULL,
        sources TEXT NOT NULL,
        request_id INTEGER NOT NULL,
        at REAL NOT NULL
    ) STRICT"""
    )
    db.execute("CREATE INDEX mends_turn ON mends (turn_id, id)")


@migrations()
def m026_one_kind_of_batch(db: Database) -> None:
    """Batches of questions and of summaries in one pair of tables; what each kind needs beside that as JSON."""
    for statement in _ONE_KIND_OF_BATCH:
        db.execute(statement)


@migrations()
def m027_memory_files(db: Database) -> None:
    """Files that Claude keeps about users by its memory tool: every version, the newest counts; no content: deleted."""
    db.execute(
        """CREATE TABLE memory_files (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        path TEXT NOT NULL,
        version INTEGER NOT NULL,
        content TEXT,
        at REAL NOT NULL,
        PRIMARY KEY (namespace, owner, path, version)
    ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def m028_users(db: Database) -> None:
    """Whose a conversation is; that a whole user was forgotten, in the audit without a name."""
    db.execute("ALTER TABLE conversations ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX conversations_owner ON conversations (namespace, owner, updated_at)")
    db.execute("ALTER TABLE forgotten RENAME TO forgotten_but_users")
    db.execute(
        """CREATE TABLE forgotten (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        conversation TEXT NOT NULL,
        what TEXT NOT NULL CHECK (what IN ('turn', 'conversation', 'user')),
        turns TEXT NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT"""
    )
    db.execute("INSERT INTO forgotten SELECT * FROM forgotten_but_users")
    db.execute("DROP TABLE forgotten_but_users")


@migrations()
def m029_profiles(db: Database) -> None:
    """What users said of themselves that holds, with the turns it was said in; up to which turn the rules have read."""
    for statement in _PROFILES:
        db.execute(statement)


@migrations()
def m030_leases(db: Database) -> None:
    """Who may write to a conversation now: tickets in order of arrival."""
    db.execute(
        """CREATE TABLE leases (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        token TEXT NOT NULL UNIQUE,
        caller TEXT NOT NULL,
        machine TEXT NOT NULL,
        process INTEGER NOT NULL,
        until REAL NOT NULL
    ) STRICT"""
    )
    db.execute("CREATE INDEX leases_line ON leases (conversation_id, id)")


@migrations()
def m031_ended_by(db: Database) -> None:
    """Which entry of a profile took the place of another; entries that a model found."""
    for index in ("profile_entries_owner", "profile_sources_turn"):
        db.execute(f"DROP INDEX {index}")
    for table in ("profile_sources", "profile_entries"):
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    for statement in _PROFILES[:4]:
        db.execute(
            statement.replace("'rules', 'hand'", "'rules', 'model', 'hand'").replace(
                "ended_at REAL", "ended_at REAL,\n        ended_by INTEGER"
            )
        )
    db.execute(
        """INSERT INTO profile_entries SELECT e.*, CASE ended WHEN 'superseded' THEN (SELECT n.id
            FROM profile_entries_before n WHERE n.namespace = e.namespace AND n.owner = e.owner AND n.topic = e.topic
            AND n.id <> e.id AND n.at >= e.at ORDER BY n.at, n.id LIMIT 1) END FROM profile_entries_before e"""
    )
    db.execute("INSERT INTO profile_sources SELECT * FROM profile_sources_before")
    for table in ("profile_sources", "profile_entries"):
        db.execute(f"DROP TABLE {table}_before")


@migrations()
def m032_distilled(db: Database) -> None:
    """What a model has read of users' words for their profiles, who is at it, and what it cost."""
    for statement in (*_DISTILLED, *_DROP_SPENDING, f"CREATE VIEW spending AS {_SPENT_ON_PROFILES}", *_SPENDING_VIEWS):
        db.execute(statement)


_DISTILLED = (
    """CREATE TABLE profile_read (
        conversation_id INTEGER PRIMARY KEY REFERENCES conversations (id),
        upto INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE profile_jobs (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        token TEXT NOT NULL,
        until REAL NOT NULL,
        failures INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        error TEXT NOT NULL,
        PRIMARY KEY (namespace, owner)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE profile_distillings (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        model TEXT NOT NULL,
        prompt TEXT NOT NULL,
        turns INTEGER NOT NULL,
        kept INTEGER NOT NULL,
        refused TEXT NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        output INTEGER NOT NULL,
        thinking INTEGER NOT NULL,
        cost REAL,
        at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX profile_distillings_conversation ON profile_distillings (conversation_id)",
)


@migrations()
def m033_retention(db: Database) -> None:
    """For how many days the conversations of a namespace are kept when nobody goes on with them."""
    db.execute("CREATE TABLE retention (namespace TEXT PRIMARY KEY, days REAL NOT NULL) STRICT, WITHOUT ROWID")


@migrations()
def m034_versions(db: Database) -> None:
    """How often a conversation was written to: who knows it at that version need not read it again. Who forked whom."""
    db.execute("ALTER TABLE conversations ADD COLUMN version INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX branches_parent ON branches (parent_id) WHERE parent_id IS NOT NULL")


@migrations()
def m035_lists(db: Database) -> None:
    """What lists of many conversations show is kept: what each cost, and what was used by user, day and model."""
    for statement in _LISTS:
        db.execute(statement)


@migrations()
def m036_said_once(db: Database) -> None:
    """What a turn says is not kept beside its content where that is one block of text; the words know their tenant."""
    for statement in _SAID_ONCE:
        db.execute(statement)


@migrations()
def m037_shards(db: Database) -> None:
    """Up to where the rules have read is kept by branch, for only there do turns come in order; sums have shards."""
    for statement in _SHARDS:
        db.execute(statement)


_SHARDS = (
    "CREATE INDEX branches_conversation ON branches (conversation_id)",
    "DROP TABLE profile_reading",  # all is read once more: what was read already makes no second entry
    "CREATE TABLE profile_reading (branch_id INTEGER PRIMARY KEY, upto INTEGER NOT NULL) STRICT",
    "ALTER TABLE usage_days RENAME TO usage_days_before",
    """CREATE TABLE usage_days (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        day TEXT NOT NULL,
        model TEXT NOT NULL,
        shard INTEGER NOT NULL DEFAULT 0,
        requests INTEGER NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        written INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cost REAL NOT NULL,
        unpriced INTEGER NOT NULL,
        PRIMARY KEY (namespace, owner, day, model, shard)
    ) STRICT, WITHOUT ROWID""",
    """INSERT INTO usage_days SELECT namespace, owner, day, model, 0,
        requests, fresh, read, written, output, cost, unpriced FROM usage_days_before""",
    "DROP TABLE usage_days_before",
)


@migrations()
def m038_jobs(db: Database) -> None:
    """What is left to workers, who of them lives, and what they did; which process makes a summary or a profile."""
    for statement in _JOBS:
        db.execute(statement)


_JOBS = (
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('summaries', 'embeddings', 'profiles', 'batches', 'retention')),
        namespace TEXT NOT NULL,
        subject INTEGER NOT NULL,
        maker TEXT NOT NULL,
        terms TEXT NOT NULL,
        at REAL NOT NULL,
        wished INTEGER NOT NULL DEFAULT 1,
        worker TEXT NOT NULL DEFAULT '',
        retry_at REAL NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        faults INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        UNIQUE (kind, namespace, subject)
    ) STRICT""",
    "CREATE INDEX jobs_due ON jobs (at, id)",
    """CREATE TABLE workers (
        token TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        process INTEGER NOT NULL,
        kinds TEXT NOT NULL,
        began REAL NOT NULL,
        until REAL NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE job_counts (
        kind TEXT PRIMARY KEY,
        done INTEGER NOT NULL,
        failed INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    *(
        f"ALTER TABLE {table} ADD COLUMN {column}"
        for table in ("summary_jobs", "profile_jobs")
        for column in ("machine TEXT NOT NULL DEFAULT ''", "process INTEGER NOT NULL DEFAULT 0")
    ),
)


@migrations()
def m039_wordings(db: Database) -> None:
    """What requests say again and again is kept once; a view shows each whole."""
    for statement in _WORDINGS:
        db.execute(statement)
    for (key,) in db.execute("SELECT id FROM requests").fetchall():
        texts = db.execute(f"SELECT {', '.join(TEXTS)} FROM requests WHERE id = ?", (key,)).fetchone()
        for name, text in zip(TEXTS, texts, strict=True):
            if text is not None:
                one = parted(name, text)
                db.execute(_ADD_WORDING, (one.hash, one.wording))
                db.execute(_PART.format(name), (one.figures, one.hash, key))


@migrations()
def m040_smaller_vectors(db: Database) -> None:
    """A vector takes a byte for each number; those stored before take two."""
    db.execute("ALTER TABLE vectors ADD COLUMN bytes INTEGER NOT NULL DEFAULT 2")


@migrations()
def m041_tenants_of_characters(db: Database) -> None:
    """The index of characters knows tenants, too: whoever searches passes over what others said."""
    for statement in _TENANTS_OF_CHARACTERS:
        db.execute(statement)


@migrations()
def m042_imported_requests(db: Database) -> None:
    """What requests used that other programs sent, where an import tells: counted with our own, and told apart."""
    for statement in (*_IMPORTED, *_DROP_SPENDING, f"CREATE VIEW spending AS {_SPENT_ANYWHERE}", *_SPENDING_VIEWS):
        db.execute(statement)


@migrations()
def m043_ascii_at_a_glance(db: Database) -> None:
    """Texts of ASCII alone are not looked through for characters of scripts without spaces."""
    for statement in _AT_A_GLANCE:
        db.execute(statement)


_IMPORTED = (
    """CREATE TABLE imported_requests (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        key TEXT NOT NULL,
        model TEXT NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        output INTEGER NOT NULL,
        thinking INTEGER NOT NULL,
        usage TEXT NOT NULL,
        cost REAL,
        at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX imported_requests_conversation ON imported_requests (conversation_id)",
    "CREATE INDEX imported_requests_key ON imported_requests (key)",
)
_ADD_WORDING = "INSERT INTO wordings (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"
_PART = "UPDATE requests SET {0} = ?, {0}_id = (SELECT id FROM wordings WHERE hash = ?) WHERE id = ?"
# Pieces and figures in turn: as `sash.stores.wordings.text` puts them together.
_WHOLE = """CASE WHEN r.{0}_id IS NULL THEN r.{0} ELSE (SELECT group_concat(part, '') FROM (
                SELECT p.value || coalesce(f.value, '') AS part
                FROM json_each((SELECT text FROM wordings WHERE id = r.{0}_id)) p
                LEFT JOIN json_each('["' || replace(r.{0}, ' ', '","') || '"]') f ON f.key = p.key
                ORDER BY p.key)) END AS {0}"""
_WORDINGS = (
    "CREATE TABLE wordings (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT",
    "ALTER TABLE requests ADD COLUMN why_id INTEGER REFERENCES wordings (id)",
    "ALTER TABLE requests ADD COLUMN markers_id INTEGER",
    "ALTER TABLE requests ADD COLUMN usage_id INTEGER",
    "CREATE INDEX requests_why ON requests (why_id)",
    f"""CREATE VIEW readable_requests AS
        SELECT c.namespace, c.name AS conversation, r.number, datetime(r.at, 'unixepoch') AS sent_at, r.state, r.model,
            r.expected_prompt, r.fresh + r.read + r.write_5m + r.write_1h AS prompt, r.output, r.cost,
            {_WHOLE.format("why")},
            {_WHOLE.format("markers")},
            {_WHOLE.format("usage")}
        FROM requests r JOIN conversations c ON c.id = r.conversation_id ORDER BY r.id""",
)

_LISTS = (
    "ALTER TABLE conversations ADD COLUMN dollars REAL NOT NULL DEFAULT 0",
    "ALTER TABLE conversations ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0",
    """UPDATE conversations SET
        dollars = (SELECT coalesce(sum(s.cost), 0.0) FROM spending s WHERE s.conversation_id = conversations.id),
        unpriced = (SELECT count(*) FROM spending s WHERE s.conversation_id = conversations.id AND s.cost IS NULL)""",
    "DROP INDEX conversations_owner",
    "CREATE INDEX conversations_owner ON conversations (namespace, owner, updated_at, name)",
    "CREATE INDEX conversations_used ON conversations (namespace, updated_at, name)",
    """CREATE TABLE usage_days (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        day TEXT NOT NULL,
        model TEXT NOT NULL,
        requests INTEGER NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        written INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cost REAL NOT NULL,
        unpriced INTEGER NOT NULL,
        PRIMARY KEY (namespace, owner, day, model)
    ) STRICT, WITHOUT ROWID""",
    """INSERT INTO usage_days SELECT coalesce(c.namespace, s.namespace), coalesce(c.owner, ''), date(s.at, 'unixepoch'),
        s.model, sum(s.requests), sum(s.fresh), sum(s.read), sum(s.write_5m + s.write_1h), sum(s.output),
        coalesce(sum(s.cost), 0.0), coalesce(sum(s.requests) FILTER (WHERE s.cost IS NULL), 0)
        FROM spending s LEFT JOIN conversations c ON c.id = s.conversation_id GROUP BY 1, 2, 3, 4""",
)

_PROFILES = (
    """CREATE TABLE profile_entries (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('fact', 'preference', 'instruction')),
        topic TEXT NOT NULL,
        text TEXT NOT NULL,
        made_by TEXT NOT NULL CHECK (made_by IN ('rules', 'hand')),
        at REAL NOT NULL,
        ended TEXT NOT NULL DEFAULT '' CHECK (ended IN ('', 'superseded', 'removed', 'redacted')),
        ended_at REAL
    ) STRICT""",
    "CREATE INDEX profile_entries_owner ON profile_entries (namespace, owner, ended)",
    """CREATE TABLE profile_sources (
        entry_id INTEGER NOT NULL REFERENCES profile_entries (id) ON DELETE CASCADE,
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        PRIMARY KEY (entry_id, turn_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX profile_sources_turn ON profile_sources (turn_id)",
    """CREATE TABLE profile_reading (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        upto INTEGER NOT NULL,
        PRIMARY KEY (namespace, owner)
    ) STRICT, WITHOUT ROWID""",
)


_RECORD = (
    """CREATE TABLE preambles (
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        system TEXT NOT NULL,
        tools TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        title TEXT,
        metadata TEXT NOT NULL DEFAULT '{}',
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        branch_id INTEGER,
        requests INTEGER NOT NULL DEFAULT 0,
        learned TEXT NOT NULL DEFAULT '{}',
        UNIQUE (namespace, name)
    ) STRICT""",
    """CREATE TABLE branches (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        parent_id INTEGER REFERENCES branches (id),
        fork_seq INTEGER NOT NULL DEFAULT 0,
        epoch_id INTEGER REFERENCES epochs (id),
        reason TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE turns (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        branch_id INTEGER NOT NULL REFERENCES branches (id),
        seq INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
        plain INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('answered', 'pending', 'interrupted', 'withdrawn')),
        at REAL NOT NULL,
        speaker TEXT,
        text TEXT NOT NULL,
        content TEXT NOT NULL,
        origin_id INTEGER REFERENCES turns (id),
        UNIQUE (branch_id, seq)
    ) STRICT""",
    "CREATE INDEX turns_exchanges ON turns (branch_id, seq) WHERE plain",
    """CREATE TABLE epochs (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        branch_id INTEGER NOT NULL REFERENCES branches (id),
        model TEXT NOT NULL,
        preamble_id INTEGER NOT NULL REFERENCES preambles (id),
        start_seq INTEGER NOT NULL,
        base_seq INTEGER NOT NULL,
        pins TEXT NOT NULL,
        strategy TEXT NOT NULL,
        reason TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        number INTEGER NOT NULL,
        branch_id INTEGER NOT NULL REFERENCES branches (id),
        epoch_id INTEGER NOT NULL REFERENCES epochs (id),
        preamble_id INTEGER NOT NULL REFERENCES preambles (id),
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        reply_id INTEGER REFERENCES turns (id),
        state TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'failed', 'interrupted')),
        plain INTEGER NOT NULL,
        at REAL NOT NULL,
        latency REAL,
        model TEXT NOT NULL,
        max_tokens INTEGER NOT NULL,
        options TEXT NOT NULL,
        betas TEXT NOT NULL,
        headers TEXT NOT NULL,
        markers TEXT NOT NULL,
        last_seq INTEGER NOT NULL,
        left_out TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        why TEXT NOT NULL,
        expected_prompt INTEGER NOT NULL,
        expected_upper INTEGER NOT NULL,
        expected_read INTEGER NOT NULL,
        expected_write INTEGER NOT NULL,
        expected_fresh INTEGER NOT NULL,
        expected_cost REAL NOT NULL,
        fresh INTEGER,
        read INTEGER,
        write_5m INTEGER,
        write_1h INTEGER,
        output INTEGER,
        thinking INTEGER,
        usage TEXT,
        cost REAL,
        stop_reason TEXT,
        message_id TEXT,
        request_id TEXT,
        error TEXT,
        extra TEXT NOT NULL DEFAULT '{}',
        UNIQUE (conversation_id, number)
    ) STRICT""",
    "CREATE INDEX requests_epoch ON requests (epoch_id, id)",
    "CREATE INDEX requests_preamble ON requests (preamble_id, model, at)",
    "CREATE INDEX requests_plain ON requests (conversation_id, id) WHERE plain",
    "CREATE INDEX requests_at ON requests (at)",
    """CREATE TABLE counts (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        upper INTEGER NOT NULL,
        source TEXT NOT NULL,
        base TEXT NOT NULL,
        PRIMARY KEY (turn_id, model)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE preamble_counts (
        preamble_id INTEGER NOT NULL REFERENCES preambles (id),
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        upper INTEGER NOT NULL,
        source TEXT NOT NULL,
        base TEXT NOT NULL,
        PRIMARY KEY (preamble_id, model)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE gaps (
        namespace TEXT NOT NULL,
        conversation_id INTEGER NOT NULL,
        within_5m REAL NOT NULL,
        within_1h REAL NOT NULL,
        total REAL NOT NULL,
        PRIMARY KEY (namespace, conversation_id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE pins (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        seq INTEGER NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (conversation_id, seq)
    ) STRICT, WITHOUT ROWID""",
)

_VIEWS = (
    """CREATE VIEW cost_by_day AS
        SELECT date(at, 'unixepoch') AS day, model, count(*) AS requests,
            sum(fresh + read + write_5m + write_1h) AS prompt_tokens, sum(output) AS output_tokens,
            round(1.0 * sum(read) / sum(fresh + read + write_5m + write_1h), 4) AS cached_share,
            round(sum(cost), 6) AS dollars
        FROM requests WHERE usage IS NOT NULL GROUP BY day, model ORDER BY day, model""",
    """CREATE VIEW cost_by_conversation AS
        SELECT c.namespace, c.name AS conversation, r.model, count(*) AS requests,
            sum(r.fresh + r.read + r.write_5m + r.write_1h) AS prompt_tokens, sum(r.output) AS output_tokens,
            round(1.0 * sum(r.read) / sum(r.fresh + r.read + r.write_5m + r.write_1h), 4) AS cached_share,
            round(sum(r.cost), 6) AS dollars
        FROM requests r JOIN conversations c ON c.id = r.conversation_id
        WHERE r.usage IS NOT NULL GROUP BY c.id, r.model ORDER BY dollars DESC""",
    """CREATE VIEW cache_misses AS
        SELECT c.namespace, c.name AS conversation, r.number, datetime(r.at, 'unixepoch') AS sent_at, r.model,
            r.expected_read, r.read, r.expected_read - r.read AS missed_tokens,
            json_extract(r.why, '$.rule') AS rule
        FROM requests r JOIN conversations c ON c.id = r.conversation_id
        WHERE r.usage IS NOT NULL AND r.read < 0.98 * r.expected_read ORDER BY r.id""",
    """CREATE VIEW readable_turns AS
        SELECT c.namespace, c.name AS conversation, t.branch_id AS branch, t.seq, t.role, t.state,
            datetime(t.at, 'unixepoch') AS said_at, t.text
        FROM turns t JOIN conversations c ON c.id = t.conversation_id ORDER BY t.branch_id, t.seq""",
)

# Thai to Lao, Tibetan to Burmese, Khmer, kana, ideographs, Korean: as in `sash.recall.words`.
_SPACELESS = (
    "{0} GLOB '*[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]*'"
)
# Two line ends behind the text: so its last characters, too, begin a string of three.
_CHARACTERS = (
    "INSERT INTO turns_characters (rowid, text) SELECT {0}.place, {0}.text || char(10, 10) {1}WHERE "
    + _SPACELESS.format("{0}.text")
)
_NO_CHARACTERS = (
    "INSERT INTO turns_characters (turns_characters, rowid, text) "
    "SELECT 'delete', old.place, old.text || char(10, 10) WHERE " + _SPACELESS.format("old.text")
)
_WORDS = "INSERT INTO turns_fts (rowid, text) VALUES (new.place, new.text)"
_NO_WORDS = "INSERT INTO turns_fts (turns_fts, rowid, text) VALUES ('delete', old.place, old.text)"
_NO_VECTOR = "DELETE FROM vectors WHERE place = old.place"

_WORDS_INDEX = (
    "CREATE VIRTUAL TABLE turns_fts USING fts5 "
    "(text, content='turns', content_rowid='place', tokenize='porter unicode61 remove_diacritics 2')"
)
_REWRITTEN = f"{_NO_WORDS}; {_NO_CHARACTERS}; {_NO_VECTOR}; {_WORDS}; {_CHARACTERS.format('new', '')}"

_RECALL = (
    "ALTER TABLE turns ADD COLUMN place INTEGER GENERATED ALWAYS AS ((branch_id << 32) | seq) VIRTUAL",
    "CREATE UNIQUE INDEX turns_place ON turns (place)",
    "CREATE INDEX turns_speakers ON turns (branch_id, speaker) WHERE speaker IS NOT NULL",
    "DROP TRIGGER turns_ai",
    "DROP TRIGGER turns_ad",
    "DROP TRIGGER turns_au",
    "DROP TABLE turns_fts",
    _WORDS_INDEX,
    "INSERT INTO turns_fts (turns_fts) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE turns_characters USING fts5 (text, content='', tokenize='trigram')",
    _CHARACTERS.format("t", "FROM turns t "),
    "CREATE VIRTUAL TABLE turns_characters_terms USING fts5vocab (turns_characters, 'row')",
    """CREATE TABLE vectors (
        place INTEGER PRIMARY KEY,
        embedder TEXT NOT NULL,
        vector BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE vectors_removed (
        branch_id INTEGER PRIMARY KEY,
        removed INTEGER NOT NULL
    ) STRICT""",
    """CREATE TRIGGER vectors_gone AFTER DELETE ON vectors BEGIN
        INSERT INTO vectors_removed VALUES (old.place >> 32, 1)
        ON CONFLICT DO UPDATE SET removed = removed + 1; END""",
    f"CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN {_WORDS}; {_CHARACTERS.format('new', '')}; END",
    f"CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN {_NO_WORDS}; {_NO_CHARACTERS}; {_NO_VECTOR}; END",
    f"CREATE TRIGGER turns_rewritten AFTER UPDATE OF text, branch_id, seq ON turns BEGIN {_REWRITTEN}; END",
)

_SPENT = """SELECT conversation_id, at, model, fresh, read, write_5m, write_1h, output, cost
            FROM requests WHERE usage IS NOT NULL
        UNION ALL SELECT conversation_id, at, model, fresh, read, write_5m, write_1h, output, cost FROM summaries"""

_SUMMARIES = (
    """CREATE TABLE summaries (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        branch_id INTEGER NOT NULL REFERENCES branches (id),
        upto_seq INTEGER NOT NULL,
        parent_id INTEGER REFERENCES summaries (id),
        state TEXT NOT NULL CHECK (state IN ('ready', 'rejected')),
        text TEXT NOT NULL,
        content TEXT NOT NULL,
        verbatim TEXT NOT NULL,
        model TEXT NOT NULL,
        prompt TEXT NOT NULL,
        way TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        output INTEGER NOT NULL,
        thinking INTEGER NOT NULL,
        cost REAL,
        report TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX summaries_line ON summaries (branch_id, upto_seq) WHERE state = 'ready'",
    "CREATE INDEX summaries_conversation ON summaries (conversation_id)",
    """CREATE TABLE summary_sources (
        summary_id INTEGER NOT NULL REFERENCES summaries (id),
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        PRIMARY KEY (summary_id, turn_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX summary_sources_turn ON summary_sources (turn_id)",
    """CREATE TABLE summary_jobs (
        conversation_id INTEGER PRIMARY KEY REFERENCES conversations (id),
        token TEXT NOT NULL,
        until REAL NOT NULL,
        failures INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        upto_seq INTEGER NOT NULL,
        error TEXT NOT NULL
    ) STRICT""",
    "ALTER TABLE epochs ADD COLUMN summary_id INTEGER REFERENCES summaries (id)",
    f"CREATE VIEW spending AS {_SPENT}",
    "DROP VIEW cost_by_day",
    """CREATE VIEW cost_by_day AS
        SELECT date(at, 'unixepoch') AS day, model, count(*) AS requests,
            sum(fresh + read + write_5m + write_1h) AS prompt_tokens, sum(output) AS output_tokens,
            round(1.0 * sum(read) / sum(fresh + read + write_5m + write_1h), 4) AS cached_share,
            round(sum(cost), 6) AS dollars
        FROM spending GROUP BY day, model ORDER BY day, model""",
    "DROP VIEW cost_by_conversation",
    """CREATE VIEW cost_by_conversation AS
        SELECT c.namespace, c.name AS conversation, s.model, count(*) AS requests,
            sum(s.fresh + s.read + s.write_5m + s.write_1h) AS prompt_tokens, sum(s.output) AS output_tokens,
            round(1.0 * sum(s.read) / sum(s.fresh + s.read + s.write_5m + s.write_1h), 4) AS cached_share,
            round(sum(s.cost), 6) AS dollars
        FROM spending s JOIN conversations c ON c.id = s.conversation_id
        GROUP BY c.id, s.model ORDER BY dollars DESC""",
)

_BATCHES = (
    """CREATE TABLE batches (
        id INTEGER PRIMARY KEY,
        api_id TEXT UNIQUE,
        phase TEXT NOT NULL CHECK (phase IN ('submitting', 'submitted', 'done', 'lost')),
        model TEXT NOT NULL,
        limit_tokens INTEGER NOT NULL,
        must_keep INTEGER NOT NULL,
        items INTEGER NOT NULL,
        at REAL NOT NULL,
        error TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE batch_items (
        custom_id TEXT NOT NULL UNIQUE,
        batch_id INTEGER NOT NULL REFERENCES batches (id),
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        branch_id INTEGER NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
        upto_seq INTEGER NOT NULL,
        parent_id INTEGER REFERENCES summaries (id) ON DELETE CASCADE,
        turns TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX batch_items_batch ON batch_items (batch_id)",
    "CREATE INDEX batch_items_conversation ON batch_items (conversation_id)",
)

_BULK = (
    """CREATE TABLE bulk_batches (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        job TEXT NOT NULL,
        api_id TEXT UNIQUE,
        phase TEXT NOT NULL CHECK (phase IN ('submitting', 'submitted', 'done', 'lost')),
        size INTEGER NOT NULL,
        at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX bulk_batches_job ON bulk_batches (namespace, job)",
    """CREATE TABLE bulk_items (
        custom_id TEXT PRIMARY KEY,
        batch_id INTEGER NOT NULL REFERENCES bulk_batches (id),
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        request_id INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        submission_id INTEGER NOT NULL,
        turns TEXT NOT NULL,
        model TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX bulk_items_batch ON bulk_items (batch_id)",
    "CREATE INDEX bulk_items_request ON bulk_items (request_id)",
    "CREATE INDEX bulk_items_conversation ON bulk_items (conversation_id)",
)

_ONE_KIND_OF_BATCH = (
    "DROP INDEX batch_items_batch",
    "DROP INDEX batch_items_conversation",
    "ALTER TABLE batches RENAME TO summary_batches",
    "ALTER TABLE batch_items RENAME TO summary_items",
    """CREATE TABLE batches (
        id INTEGER PRIMARY KEY,
        api_id TEXT UNIQUE,
        phase TEXT NOT NULL CHECK (phase IN ('submitting', 'submitted', 'done', 'lost')),
        kind TEXT NOT NULL CHECK (kind IN ('question', 'summary')),
        namespace TEXT NOT NULL,
        job TEXT NOT NULL,
        terms TEXT NOT NULL,
        items INTEGER NOT NULL,
        at REAL NOT NULL,
        error TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE batch_items (
        custom_id TEXT NOT NULL UNIQUE,
        batch_id INTEGER NOT NULL REFERENCES batches (id),
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        branch_id INTEGER REFERENCES branches (id) ON DELETE CASCADE,
        parent_id INTEGER REFERENCES summaries (id) ON DELETE CASCADE,
        facts TEXT NOT NULL
    ) STRICT""",
    """INSERT INTO batches SELECT id, api_id, phase, 'summary', '', '', json_object('by', model, 'limit', limit_tokens,
        'must_keep', json(iif(must_keep, 'true', 'false'))), items, at, error FROM summary_batches""",
    """INSERT INTO batch_items SELECT custom_id, batch_id, conversation_id, model, branch_id, parent_id,
        json_object('upto', upto_seq, 'ids', json_extract(turns, '$.ids'), 'digest', json_extract(turns, '$.digest'))
        FROM summary_items ORDER BY rowid""",
    # numbered behind those of summaries; one that was taken for another's batch keeps no id of the API's
    """INSERT INTO batches SELECT id + (SELECT coalesce(max(id), 0) FROM summary_batches),
        iif(api_id IN (SELECT api_id FROM summary_batches WHERE api_id IS NOT NULL), NULL, api_id),
        phase, 'question', namespace, job, '{}', size, at, '' FROM bulk_batches""",
    """INSERT INTO batch_items SELECT custom_id, batch_id + (SELECT coalesce(max(id), 0) FROM summary_batches),
        conversation_id, model, NULL, NULL, json_object('position', position, 'request', request_id, 'number', number,
        'submission', submission_id, 'turns', json(turns)) FROM bulk_items ORDER BY batch_id, position""",
    "DROP TABLE summary_items",
    "DROP TABLE summary_batches",
    "DROP TABLE bulk_items",
    "DROP TABLE bulk_batches",
    "CREATE INDEX batches_job ON batches (kind, namespace, job)",
    "CREATE INDEX batch_items_batch ON batch_items (batch_id)",
    "CREATE INDEX batch_items_conversation ON batch_items (conversation_id)",
)

_SUMS = "sum({0}fresh + {0}read + {0}write_5m + {0}write_1h)"
_SPENT_IN_ALL = """SELECT conversation_id, NULL AS namespace, 1 AS requests, at, model, fresh, read, write_5m, write_1h,
            output, cost FROM requests WHERE usage IS NOT NULL
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost
            FROM summaries
        UNION ALL SELECT NULL, namespace, requests, at, model, fresh, read, write_5m, write_1h, output, cost
            FROM deleted_spending"""

_SPENT_ON_PROFILES = f"""{_SPENT_IN_ALL}
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost
            FROM profile_distillings"""
_SPENT_ANYWHERE = """SELECT conversation_id, NULL AS namespace, 1 AS requests, at, model, fresh, read, write_5m,
            write_1h, output, cost, 'sent' AS origin FROM requests WHERE usage IS NOT NULL
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'sent'
            FROM summaries
        UNION ALL SELECT NULL, namespace, requests, at, model, fresh, read, write_5m, write_1h, output, cost,
            '(deleted)' FROM deleted_spending
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'sent'
            FROM profile_distillings
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'imported'
            FROM imported_requests"""
_DROP_SPENDING = ("DROP VIEW cost_by_day", "DROP VIEW cost_by_conversation", "DROP VIEW spending")
_SPENDING_VIEWS = (
    f"""CREATE VIEW cost_by_day AS
        SELECT date(at, 'unixepoch') AS day, model, sum(requests) AS requests,
            {_SUMS.format("")} AS prompt_tokens, sum(output) AS output_tokens,
            round(1.0 * sum(read) / {_SUMS.format("")}, 4) AS cached_share,
            round(sum(cost), 6) AS dollars
        FROM spending GROUP BY day, model ORDER BY day, model""",
    f"""CREATE VIEW cost_by_conversation AS
        SELECT coalesce(c.namespace, s.namespace) AS namespace, coalesce(c.name, '(deleted)') AS conversation, s.model,
            sum(s.requests) AS requests, {_SUMS.format("s.")} AS prompt_tokens, sum(s.output) AS output_tokens,
            round(1.0 * sum(s.read) / {_SUMS.format("s.")}, 4) AS cached_share,
            round(sum(s.cost), 6) AS dollars
        FROM spending s LEFT JOIN conversations c ON c.id = s.conversation_id
        GROUP BY c.id, s.namespace, s.model ORDER BY dollars DESC""",
)

_DELETED = (
    """CREATE TABLE deleted_spending (
        namespace TEXT NOT NULL,
        at REAL NOT NULL,
        model TEXT NOT NULL,
        requests INTEGER NOT NULL,
        fresh INTEGER NOT NULL,
        read INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cost REAL NOT NULL,
        PRIMARY KEY (namespace, at, model)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE last_ids (name TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX turns_origin ON turns (origin_id) WHERE origin_id IS NOT NULL",
    "ALTER TABLE forgotten RENAME TO forgotten_by_key",
    """CREATE TABLE forgotten (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        conversation TEXT NOT NULL,
        what TEXT NOT NULL CHECK (what IN ('turn', 'conversation')),
        turns TEXT NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT""",
    (
        "INSERT INTO forgotten SELECT f.id, c.namespace, c.name, 'turn', f.turns, json_array_length(f.turns), "
        "f.reason, f.at FROM forgotten_by_key f JOIN conversations c ON c.id = f.conversation_id"
    ),
    "DROP TABLE forgotten_by_key",
    *_DROP_SPENDING,
    f"CREATE VIEW spending AS {_SPENT_IN_ALL}",
    *_SPENDING_VIEWS,
)

# One block of text that SQLite reads as Python does: no escaped sign that a text cannot hold.
_PLAIN_TEXT = (
    "content GLOB '[[]{\"t*' AND instr(content, '\\u') = 0 AND json_array_length(content) = 1 "
    "AND json_extract(content, '$[0].type') = 'text' AND json_type(content, '$[0].text') = 'text'"
)
_TENANT = "(SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = {0}.conversation_id)"
_TENANT_WORDS = f"INSERT INTO turns_fts (rowid, text, tenant) VALUES (new.place, new.text, {_TENANT.format('new')})"
_NO_TENANT_WORDS = (
    "INSERT INTO turns_fts (turns_fts, rowid, text, tenant) "
    f"VALUES ('delete', old.place, old.text, {_TENANT.format('old')})"
)
_GONE = f"{_NO_TENANT_WORDS}; {_NO_CHARACTERS}; {_NO_VECTOR}"
_COME = f"{_TENANT_WORDS}; {_CHARACTERS.format('new', '')}"
_TEXT = f"CASE WHEN said <> '' THEN said WHEN {_PLAIN_TEXT} THEN json_extract(content, '$[0].text') ELSE '' END"
_STEMS = "content_rowid='place', tokenize='porter unicode61 remove_diacritics 2'"
_INDEXED = "said, content, branch_id, seq"
_SAID_ONCE = (
    "DROP TRIGGER turns_written",
    "DROP TRIGGER turns_gone",
    "DROP TRIGGER turns_rewritten",
    "DROP VIEW readable_turns",
    "DROP TABLE turns_fts",
    "ALTER TABLE turns RENAME COLUMN text TO said",
    f"UPDATE turns SET said = '' WHERE {_PLAIN_TEXT} AND said = json_extract(content, '$[0].text')",
    f"ALTER TABLE turns ADD COLUMN text TEXT GENERATED ALWAYS AS ({_TEXT}) VIRTUAL",
    _VIEWS[3],
    f"CREATE VIEW indexed_turns AS SELECT t.place, t.text, {_TENANT.format('t')} AS tenant FROM turns t",
    f"CREATE VIRTUAL TABLE turns_fts USING fts5 (text, tenant, content='indexed_turns', {_STEMS})",
    "INSERT INTO turns_fts (turns_fts) VALUES ('rebuild')",
    f"CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN {_COME}; END",
    f"CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN {_GONE}; END",
    f"CREATE TRIGGER turns_rewritten AFTER UPDATE OF {_INDEXED} ON turns BEGIN {_GONE}; {_COME}; END",
)

_TENANT_SIGNS = "(SELECT 'nn' || hex(namespace) || 'zz' FROM conversations WHERE id = {0}.conversation_id)"
_SIGNS_OF = f"{{0}}.place, {{0}}.text || char(10, 10), {_TENANT_SIGNS}"
_SIGNS_WHERE = "WHERE " + _SPACELESS.format("{0}.text")
_ADD_SIGNS = f"INSERT INTO turns_characters (rowid, text, tenant) SELECT {_SIGNS_OF} {{1}}{_SIGNS_WHERE}"
_NO_SIGNS = (
    "INSERT INTO turns_characters (turns_characters, rowid, text, tenant) "
    f"SELECT 'delete', {_SIGNS_OF.format('old')} {_SIGNS_WHERE.format('old')}"
)
_ALL_GONE = f"{_NO_TENANT_WORDS}; {_NO_SIGNS}; {_NO_VECTOR}"
_ALL_COME = f"{_TENANT_WORDS}; {_ADD_SIGNS.format('new', '')}"
_TENANTS_OF_CHARACTERS = (
    "DROP TRIGGER turns_written",
    "DROP TRIGGER turns_gone",
    "DROP TRIGGER turns_rewritten",
    "DROP TABLE turns_characters_terms",
    "DROP TABLE turns_characters",
    "CREATE VIRTUAL TABLE turns_characters USING fts5 (text, tenant, content='', tokenize='trigram')",
    _ADD_SIGNS.format("t", "FROM turns t "),
    "CREATE VIRTUAL TABLE turns_characters_terms USING fts5vocab (turns_characters, 'col')",
    f"CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN {_ALL_COME}; END",
    f"CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN {_ALL_GONE}; END",
    f"CREATE TRIGGER turns_rewritten AFTER UPDATE OF {_INDEXED} ON turns BEGIN {_ALL_GONE}; {_ALL_COME}; END",
)

# As many bytes as characters: all of it is ASCII.
_WIDE = "WHERE length({0}.text) < length(CAST({0}.text AS BLOB)) AND " + _SPACELESS.format("{0}.text")
_ADD_WIDE = f"INSERT INTO turns_characters (rowid, text, tenant) SELECT {_SIGNS_OF.format('new')} {_WIDE.format('new')}"
_NO_WIDE = (
    "INSERT INTO turns_characters (turns_characters, rowid, text, tenant) "
    f"SELECT 'delete', {_SIGNS_OF.format('old')} {_WIDE.format('old')}"
)
_WHOLLY_GONE, _WHOLLY_COME = f"{_NO_TENANT_WORDS}; {_NO_WIDE}; {_NO_VECTOR}", f"{_TENANT_WORDS}; {_ADD_WIDE}"
_AT_A_GLANCE = (
    "DROP TRIGGER turns_written",
    "DROP TRIGGER turns_gone",
    "DROP TRIGGER turns_rewritten",
    f"CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN {_WHOLLY_COME}; END",
    f"CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN {_WHOLLY_GONE}; END",
    f"CREATE TRIGGER turns_rewritten AFTER UPDATE OF {_INDEXED} ON turns BEGIN {_WHOLLY_GONE}; {_WHOLLY_COME}; END",
)
