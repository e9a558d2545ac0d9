-- What a new file holds: all migrations together. Written by scripts/schema.py from migrations.py.
-- Statements end with a semicolon and an empty line.
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);

CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");

CREATE TABLE preambles (
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        system TEXT NOT NULL,
        tools TEXT NOT NULL
    ) STRICT;

CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        title TEXT,
        metadata TEXT NOT NULL DEFAULT '{}',
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        branch_id INTEGER,
        requests INTEGER NOT NULL DEFAULT 0,
        learned TEXT NOT NULL DEFAULT '{}', model TEXT NOT NULL DEFAULT '', key TEXT NOT NULL DEFAULT '', preamble_id INTEGER REFERENCES preambles (id), owner TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL DEFAULT 0, dollars REAL NOT NULL DEFAULT 0, unpriced INTEGER NOT NULL DEFAULT 0,
        UNIQUE (namespace, name)
    ) STRICT;

CREATE TABLE branches (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        parent_id INTEGER REFERENCES branches (id),
        fork_seq INTEGER NOT NULL DEFAULT 0,
        epoch_id INTEGER REFERENCES epochs (id),
        reason TEXT NOT NULL,
        created_at REAL NOT NULL
    , fresh TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE turns (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        branch_id INTEGER NOT NULL REFERENCES branches (id),
        seq INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
        plain INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('answered', 'pending', 'interrupted', 'withdrawn')),
        at REAL NOT NULL,
        speaker TEXT,
        said TEXT NOT NULL,
        content TEXT NOT NULL,
        origin_id INTEGER REFERENCES turns (id), place INTEGER GENERATED ALWAYS AS ((branch_id << 32) | seq) VIRTUAL, model TEXT NOT NULL DEFAULT '', changed_after INTEGER, changed_why TEXT, mended INTEGER NOT NULL DEFAULT 0, text TEXT GENERATED ALWAYS AS (CASE WHEN said <> '' THEN said WHEN content GLOB '[[]{"t*' AND instr(content, '\u') = 0 AND json_array_length(content) = 1 AND json_extract(content, '$[0].type') = 'text' AND json_type(content, '$[0].text') = 'text' THEN json_extract(content, '$[0].text') ELSE '' END) VIRTUAL,
        UNIQUE (branch_id, seq)
    ) STRICT;

CREATE INDEX turns_exchanges ON turns (branch_id, seq) WHERE plain;

CREATE TABLE epochs (
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
    , instructions TEXT NOT NULL DEFAULT '[]', tagged INTEGER NOT NULL DEFAULT 0, relief TEXT NOT NULL DEFAULT '{}', summary_id INTEGER REFERENCES summaries (id), attached_seq INTEGER NOT NULL DEFAULT 0, family INTEGER REFERENCES epochs (id)) STRICT;

CREATE TABLE requests (
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
        extra TEXT NOT NULL DEFAULT '{}', surprise TEXT, key TEXT NOT NULL DEFAULT '', why_id INTEGER REFERENCES wordings (id), markers_id INTEGER, usage_id INTEGER,
        UNIQUE (conversation_id, number)
    ) STRICT;

CREATE INDEX requests_epoch ON requests (epoch_id, id);

CREATE INDEX requests_preamble ON requests (preamble_id, model, at);

CREATE INDEX requests_plain ON requests (conversation_id, id) WHERE plain;

CREATE INDEX requests_at ON requests (at);

CREATE TABLE counts (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        upper INTEGER NOT NULL,
        source TEXT NOT NULL,
        base TEXT NOT NULL,
        PRIMARY KEY (turn_id, model)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE preamble_counts (
        preamble_id INTEGER NOT NULL REFERENCES preambles (id),
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        upper INTEGER NOT NULL,
        source TEXT NOT NULL,
        base TEXT NOT NULL,
        PRIMARY KEY (preamble_id, model)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
        namespace TEXT NOT NULL,
        conversation_id INTEGER NOT NULL,
        within_5m REAL NOT NULL,
        within_1h REAL NOT NULL,
        total REAL NOT NULL,
        PRIMARY KEY (namespace, conversation_id)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE calibration (model TEXT NOT NULL, base TEXT NOT NULL, state TEXT NOT NULL, lessons INTEGER NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (model, base)) STRICT, WITHOUT ROWID;

CREATE VIEW cache_misses AS
        SELECT c.namespace, c.name AS conversation, r.number, datetime(r.at, 'unixepoch') AS sent_at, r.model,
            r.expected_read, r.read, r.expected_read - r.read AS missed_tokens, r.surprise
        FROM requests r JOIN conversations c ON c.id = r.conversation_id
        WHERE r.surprise IS NOT NULL ORDER BY r.id;

CREATE TABLE pins (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        created_at REAL NOT NULL,
        PRIMARY KEY (conversation_id, turn_id)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE tool_results (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        call_id TEXT NOT NULL,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        block TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (turn_id, call_id)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX tool_results_conversation ON tool_results (conversation_id);

CREATE INDEX turns_instructions ON turns (branch_id, seq) WHERE role = 'system';

CREATE UNIQUE INDEX turns_place ON turns (place);

CREATE INDEX turns_speakers ON turns (branch_id, speaker) WHERE speaker IS NOT NULL;

CREATE TABLE vectors (
        place INTEGER PRIMARY KEY,
        embedder TEXT NOT NULL,
        vector BLOB NOT NULL
    , bytes INTEGER NOT NULL DEFAULT 2) STRICT;

CREATE TABLE vectors_removed (
        branch_id INTEGER PRIMARY KEY,
        removed INTEGER NOT NULL
    ) STRICT;

CREATE TRIGGER vectors_gone AFTER DELETE ON vectors BEGIN
        INSERT INTO vectors_removed VALUES (old.place >> 32, 1)
        ON CONFLICT DO UPDATE SET removed = removed + 1; END;

CREATE TABLE blobs (hash TEXT PRIMARY KEY, base64 INTEGER NOT NULL, data BLOB NOT NULL) STRICT;

CREATE TABLE turn_blobs (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        position INTEGER NOT NULL,
        hash TEXT NOT NULL REFERENCES blobs (hash),
        PRIMARY KEY (turn_id, position)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX turn_blobs_hash ON turn_blobs (hash);

CREATE TABLE summaries (
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
    ) STRICT;

CREATE INDEX summaries_line ON summaries (branch_id, upto_seq) WHERE state = 'ready';

CREATE INDEX summaries_conversation ON summaries (conversation_id);

CREATE TABLE summary_sources (
        summary_id INTEGER NOT NULL REFERENCES summaries (id),
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        PRIMARY KEY (summary_id, turn_id)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX summary_sources_turn ON summary_sources (turn_id);

CREATE TABLE summary_jobs (
        conversation_id INTEGER PRIMARY KEY REFERENCES conversations (id),
        token TEXT NOT NULL,
        until REAL NOT NULL,
        failures INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        upto_seq INTEGER NOT NULL,
        error TEXT NOT NULL
    , machine TEXT NOT NULL DEFAULT '', process INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE submissions (
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
    ) STRICT;

CREATE UNIQUE INDEX submissions_token ON submissions (conversation_id, token) WHERE token IS NOT NULL;

CREATE INDEX submissions_newest ON submissions (conversation_id, id);

CREATE TABLE attachments (
        turn_id INTEGER PRIMARY KEY REFERENCES turns (id),
        content TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;

CREATE TABLE attachment_sources (
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        source_id INTEGER NOT NULL REFERENCES turns (id),
        why TEXT NOT NULL,
        PRIMARY KEY (turn_id, source_id)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX attachment_sources_source ON attachment_sources (source_id);

CREATE TABLE spend (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        period TEXT NOT NULL,
        dollars REAL NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (scope, key, period)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (name TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
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
    ) STRICT;

CREATE INDEX attempts_at ON attempts (namespace, at);

CREATE INDEX attempts_request ON attempts (request_id) WHERE request_id IS NOT NULL;

CREATE INDEX epochs_family ON epochs (family, model) WHERE family IS NOT NULL;

CREATE TABLE memos (
        name TEXT PRIMARY KEY,
        content BLOB NOT NULL,
        kind TEXT NOT NULL,
        request_id TEXT NOT NULL,
        size INTEGER NOT NULL,
        cost REAL NOT NULL,
        at REAL NOT NULL,
        until REAL NOT NULL,
        used_at REAL NOT NULL
    ) STRICT;

CREATE INDEX memos_used ON memos (used_at, at, size);

CREATE INDEX memos_until ON memos (until);

CREATE TABLE memo_tags (
        name TEXT NOT NULL REFERENCES memos (name) ON DELETE CASCADE,
        tag TEXT NOT NULL,
        PRIMARY KEY (tag, name)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX memo_tags_name ON memo_tags (name);

CREATE TABLE memo_use (asked INTEGER NOT NULL, hits INTEGER NOT NULL, saved REAL NOT NULL) STRICT;

CREATE TABLE deleted_spending (
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
    ) STRICT, WITHOUT ROWID;

CREATE TABLE last_ids (name TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE INDEX turns_origin ON turns (origin_id) WHERE origin_id IS NOT NULL;

CREATE TABLE imported (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        key TEXT NOT NULL,
        PRIMARY KEY (conversation_id, key)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX turns_changed ON turns (branch_id, seq) WHERE changed_after IS NOT NULL;

CREATE TABLE mends (
        id INTEGER PRIMARY KEY,
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        content TEXT NOT NULL,
        sources TEXT NOT NULL,
        request_id INTEGER NOT NULL,
        at REAL NOT NULL
    ) STRICT;

CREATE INDEX mends_turn ON mends (turn_id, id);

CREATE TABLE batches (
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
    ) STRICT;

CREATE TABLE batch_items (
        custom_id TEXT NOT NULL UNIQUE,
        batch_id INTEGER NOT NULL REFERENCES batches (id),
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        branch_id INTEGER REFERENCES branches (id) ON DELETE CASCADE,
        parent_id INTEGER REFERENCES summaries (id) ON DELETE CASCADE,
        facts TEXT NOT NULL
    ) STRICT;

CREATE INDEX batches_job ON batches (kind, namespace, job);

CREATE INDEX batch_items_batch ON batch_items (batch_id);

CREATE INDEX batch_items_conversation ON batch_items (conversation_id);

CREATE TABLE memory_files (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        path TEXT NOT NULL,
        version INTEGER NOT NULL,
        content TEXT,
        at REAL NOT NULL,
        PRIMARY KEY (namespace, owner, path, version)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE forgotten (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        conversation TEXT NOT NULL,
        what TEXT NOT NULL CHECK (what IN ('turn', 'conversation', 'user')),
        turns TEXT NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT;

CREATE TABLE leases (
        id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        token TEXT NOT NULL UNIQUE,
        caller TEXT NOT NULL,
        machine TEXT NOT NULL,
        process INTEGER NOT NULL,
        until REAL NOT NULL
    ) STRICT;

CREATE INDEX leases_line ON leases (conversation_id, id);

CREATE TABLE profile_entries (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('fact', 'preference', 'instruction')),
        topic TEXT NOT NULL,
        text TEXT NOT NULL,
        made_by TEXT NOT NULL CHECK (made_by IN ('rules', 'model', 'hand')),
        at REAL NOT NULL,
        ended TEXT NOT NULL DEFAULT '' CHECK (ended IN ('', 'superseded', 'removed', 'redacted')),
        ended_at REAL,
        ended_by INTEGER
    ) STRICT;

CREATE INDEX profile_entries_owner ON profile_entries (namespace, owner, ended);

CREATE TABLE profile_sources (
        entry_id INTEGER NOT NULL REFERENCES profile_entries (id) ON DELETE CASCADE,
        turn_id INTEGER NOT NULL REFERENCES turns (id),
        PRIMARY KEY (entry_id, turn_id)
    ) STRICT, WITHOUT ROWID;

CREATE INDEX profile_sources_turn ON profile_sources (turn_id);

CREATE TABLE profile_read (
        conversation_id INTEGER PRIMARY KEY REFERENCES conversations (id),
        upto INTEGER NOT NULL
    ) STRICT;

CREATE TABLE profile_jobs (
        namespace TEXT NOT NULL,
        owner TEXT NOT NULL,
        token TEXT NOT NULL,
        until REAL NOT NULL,
        failures INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        error TEXT NOT NULL, machine TEXT NOT NULL DEFAULT '', process INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (namespace, owner)
    ) STRICT, WITHOUT ROWID;

CREATE TABLE profile_distillings (
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
    ) STRICT;

CREATE INDEX profile_distillings_conversation ON profile_distillings (conversation_id);

CREATE TABLE retention (namespace TEXT PRIMARY KEY, days REAL NOT NULL) STRICT, WITHOUT ROWID;

CREATE INDEX branches_parent ON branches (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX conversations_owner ON conversations (namespace, owner, updated_at, name);

CREATE INDEX conversations_used ON conversations (namespace, updated_at, name);

CREATE VIEW readable_turns AS
        SELECT c.namespace, c.name AS conversation, t.branch_id AS branch, t.seq, t.role, t.state,
            datetime(t.at, 'unixepoch') AS said_at, t.text
        FROM turns t JOIN conversations c ON c.id = t.conversation_id ORDER BY t.branch_id, t.seq;

CREATE VIEW indexed_turns AS SELECT t.place, t.text, (SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = t.conversation_id) AS tenant FROM turns t;

CREATE VIRTUAL TABLE turns_fts USING fts5 (text, tenant, content='indexed_turns', content_rowid='place', tokenize='porter unicode61 remove_diacritics 2');

CREATE INDEX branches_conversation ON branches (conversation_id);

CREATE TABLE profile_reading (branch_id INTEGER PRIMARY KEY, upto INTEGER NOT NULL) STRICT;

CREATE TABLE usage_days (
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
    ) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
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
    ) STRICT;

CREATE INDEX jobs_due ON jobs (at, id);

CREATE TABLE workers (
        token TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        process INTEGER NOT NULL,
        kinds TEXT NOT NULL,
        began REAL NOT NULL,
        until REAL NOT NULL
    ) STRICT, WITHOUT ROWID;

CREATE TABLE job_counts (
        kind TEXT PRIMARY KEY,
        done INTEGER NOT NULL,
        failed INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

CREATE TABLE wordings (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT;

CREATE INDEX requests_why ON requests (why_id);

CREATE VIEW readable_requests AS
        SELECT c.namespace, c.name AS conversation, r.number, datetime(r.at, 'unixepoch') AS sent_at, r.state, r.model,
            r.expected_prompt, r.fresh + r.read + r.write_5m + r.write_1h AS prompt, r.output, r.cost,
            CASE WHEN r.why_id IS NULL THEN r.why ELSE (SELECT group_concat(part, '') FROM (
                SELECT p.value || coalesce(f.value, '') AS part
                FROM json_each((SELECT text FROM wordings WHERE id = r.why_id)) p
                LEFT JOIN json_each('["' || replace(r.why, ' ', '","') || '"]') f ON f.key = p.key
                ORDER BY p.key)) END AS why,
            CASE WHEN r.markers_id IS NULL THEN r.markers ELSE (SELECT group_concat(part, '') FROM (
                SELECT p.value || coalesce(f.value, '') AS part
                FROM json_each((SELECT text FROM wordings WHERE id = r.markers_id)) p
                LEFT JOIN json_each('["' || replace(r.markers, ' ', '","') || '"]') f ON f.key = p.key
                ORDER BY p.key)) END AS markers,
            CASE WHEN r.usage_id IS NULL THEN r.usage ELSE (SELECT group_concat(part, '') FROM (
                SELECT p.value || coalesce(f.value, '') AS part
                FROM json_each((SELECT text FROM wordings WHERE id = r.usage_id)) p
                LEFT JOIN json_each('["' || replace(r.usage, ' ', '","') || '"]') f ON f.key = p.key
                ORDER BY p.key)) END AS usage
        FROM requests r JOIN conversations c ON c.id = r.conversation_id ORDER BY r.id;

CREATE VIRTUAL TABLE turns_characters USING fts5 (text, tenant, content='', tokenize='trigram');

CREATE VIRTUAL TABLE turns_characters_terms USING fts5vocab (turns_characters, 'col');

CREATE TABLE imported_requests (
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
    ) STRICT;

CREATE INDEX imported_requests_conversation ON imported_requests (conversation_id);

CREATE INDEX imported_requests_key ON imported_requests (key);

CREATE VIEW spending AS SELECT conversation_id, NULL AS namespace, 1 AS requests, at, model, fresh, read, write_5m,
            write_1h, output, cost, 'sent' AS origin FROM requests WHERE usage IS NOT NULL
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'sent'
            FROM summaries
        UNION ALL SELECT NULL, namespace, requests, at, model, fresh, read, write_5m, write_1h, output, cost,
            '(deleted)' FROM deleted_spending
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'sent'
            FROM profile_distillings
        UNION ALL SELECT conversation_id, NULL, 1, at, model, fresh, read, write_5m, write_1h, output, cost, 'imported'
            FROM imported_requests;

CREATE VIEW cost_by_day AS
        SELECT date(at, 'unixepoch') AS day, model, sum(requests) AS requests,
            sum(fresh + read + write_5m + write_1h) AS prompt_tokens, sum(output) AS output_tokens,
            round(1.0 * sum(read) / sum(fresh + read + write_5m + write_1h), 4) AS cached_share,
            round(sum(cost), 6) AS dollars
        FROM spending GROUP BY day, model ORDER BY day, model;

CREATE VIEW cost_by_conversation AS
        SELECT coalesce(c.namespace, s.namespace) AS namespace, coalesce(c.name, '(deleted)') AS conversation, s.model,
            sum(s.requests) AS requests, sum(s.fresh + s.read + s.write_5m + s.write_1h) AS prompt_tokens, sum(s.output) AS output_tokens,
            round(1.0 * sum(s.read) / sum(s.fresh + s.read + s.write_5m + s.write_1h), 4) AS cached_share,
            round(sum(s.cost), 6) AS dollars
        FROM spending s LEFT JOIN conversations c ON c.id = s.conversation_id
        GROUP BY c.id, s.namespace, s.model ORDER BY dollars DESC;

CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN INSERT INTO turns_fts (rowid, text, tenant) VALUES (new.place, new.text, (SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = new.conversation_id)); INSERT INTO turns_characters (rowid, text, tenant) SELECT new.place, new.text || char(10, 10), (SELECT 'nn' || hex(namespace) || 'zz' FROM conversations WHERE id = new.conversation_id) WHERE length(new.text) < length(CAST(new.text AS BLOB)) AND new.text GLOB '*[฀-໿ༀ-႟ក-៿぀-ヿ㐀-䶿一-鿿가-힯豈-﫿𠀀-𱍏]*'; END;

CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN INSERT INTO turns_fts (turns_fts, rowid, text, tenant) VALUES ('delete', old.place, old.text, (SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = old.conversation_id)); INSERT INTO turns_characters (turns_characters, rowid, text, tenant) SELECT 'delete', old.place, old.text || char(10, 10), (SELECT 'nn' || hex(namespace) || 'zz' FROM conversations WHERE id = old.conversation_id) WHERE length(old.text) < length(CAST(old.text AS BLOB)) AND old.text GLOB '*[฀-໿ༀ-႟ក-៿぀-ヿ㐀-䶿一-鿿가-힯豈-﫿𠀀-𱍏]*'; DELETE FROM vectors WHERE place = old.place; END;

CREATE TRIGGER turns_rewritten AFTER UPDATE OF said, content, branch_id, seq ON turns BEGIN INSERT INTO turns_fts (turns_fts, rowid, text, tenant) VALUES ('delete', old.place, old.text, (SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = old.conversation_id)); INSERT INTO turns_characters (turns_characters, rowid, text, tenant) SELECT 'delete', old.place, old.text || char(10, 10), (SELECT 'nn' || hex(namespace) || 'zz' FROM conversations WHERE id = old.conversation_id) WHERE length(old.text) < length(CAST(old.text AS BLOB)) AND old.text GLOB '*[฀-໿ༀ-႟ក-៿぀-ヿ㐀-䶿一-鿿가-힯豈-﫿𠀀-𱍏]*'; DELETE FROM vectors WHERE place = old.place; INSERT INTO turns_fts (rowid, text, tenant) VALUES (new.place, new.text, (SELECT 'n' || hex(namespace) || 'z' FROM conversations WHERE id = new.conversation_id)); INSERT INTO turns_characters (rowid, text, tenant) SELECT new.place, new.text || char(10, 10), (SELECT 'nn' || hex(namespace) || 'zz' FROM conversations WHERE id = new.conversation_id) WHERE length(new.text) < length(CAST(new.text AS BLOB)) AND new.text GLOB '*[฀-໿ༀ-႟ក-៿぀-ヿ㐀-䶿一-鿿가-힯豈-﫿𠀀-𱍏]*'; END;

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES
    ('sash', 'm001_record', datetime('now') || '+00:00'),
    ('sash', 'm002_views', datetime('now') || '+00:00'),
    ('sash', 'm003_calibration', datetime('now') || '+00:00'),
    ('sash', 'm004_surprise', datetime('now') || '+00:00'),
    ('sash', 'm005_pins_of_turns', datetime('now') || '+00:00'),
    ('sash', 'm006_tool_results', datetime('now') || '+00:00'),
    ('sash', 'm007_instructions', datetime('now') || '+00:00'),
    ('sash', 'm008_relief', datetime('now') || '+00:00'),
    ('sash', 'm009_recall', datetime('now') || '+00:00'),
    ('sash', 'm010_blobs', datetime('now') || '+00:00'),
    ('sash', 'm011_fresh', datetime('now') || '+00:00'),
    ('sash', 'm012_summaries', datetime('now') || '+00:00'),
    ('sash', 'm013_submissions', datetime('now') || '+00:00'),
    ('sash', 'm014_attachments', datetime('now') || '+00:00'),
    ('sash', 'm015_batches', datetime('now') || '+00:00'),
    ('sash', 'm016_resilience', datetime('now') || '+00:00'),
    ('sash', 'm017_beside', datetime('now') || '+00:00'),
    ('sash', 'm018_memos', datetime('now') || '+00:00'),
    ('sash', 'm019_keys', datetime('now') || '+00:00'),
    ('sash', 'm020_bulk', datetime('now') || '+00:00'),
    ('sash', 'm021_forgotten', datetime('now') || '+00:00'),
    ('sash', 'm022_deleted', datetime('now') || '+00:00'),
    ('sash', 'm023_imports', datetime('now') || '+00:00'),
    ('sash', 'm024_changed', datetime('now') || '+00:00'),
    ('sash', 'm025_mends', datetime('now') || '+00:00'),
    ('sash', 'm026_one_kind_of_batch', datetime('now') || '+00:00'),
    ('sash', 'm027_memory_files', datetime('now') || '+00:00'),
    ('sash', 'm028_users', datetime('now') || '+00:00'),
    ('sash', 'm029_profiles', datetime('now') || '+00:00'),
    ('sash', 'm030_leases', datetime('now') || '+00:00'),
    ('sash', 'm031_ended_by', datetime('now') || '+00:00'),
    ('sash', 'm032_distilled', datetime('now') || '+00:00'),
    ('sash', 'm033_retention', datetime('now') || '+00:00'),
    ('sash', 'm034_versions', datetime('now') || '+00:00'),
    ('sash', 'm035_lists', datetime('now') || '+00:00'),
    ('sash', 'm036_said_once', datetime('now') || '+00:00'),
    ('sash', 'm037_shards', datetime('now') || '+00:00'),
    ('sash', 'm038_jobs', datetime('now') || '+00:00'),
    ('sash', 'm039_wordings', datetime('now') || '+00:00'),
    ('sash', 'm040_smaller_vectors', datetime('now') || '+00:00'),
    ('sash', 'm041_tenants_of_characters', datetime('now') || '+00:00'),
    ('sash', 'm042_imported_requests', datetime('now') || '+00:00'),
    ('sash', 'm043_ascii_at_a_glance', datetime('now') || '+00:00');

INSERT INTO memo_use VALUES (0, 0, 0.0);
