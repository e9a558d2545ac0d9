-- What row-level security needs beside its policies (`row_security.py`). The functions that see more than who calls them
-- answer a question about one row, and nothing else of it.

-- The namespace that the present transaction is held to; none where it names none: then no row is its own.
CREATE OR REPLACE FUNCTION tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN left(current_setting('sash.tenant', true), 1) = 'n' THEN substr(current_setting('sash.tenant', true), 2) END;

-- Preambles and blobs are kept once for all tenants: whose they are is whose conversations hold them.
CREATE OR REPLACE FUNCTION preamble_held(preamble bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT 1 FROM requests r WHERE r.preamble_id = preamble) OR EXISTS (SELECT 1 FROM epochs e WHERE e.preamble_id = preamble)
        OR EXISTS (SELECT 1 FROM conversations c WHERE c.preamble_id = preamble) $$;
CREATE OR REPLACE FUNCTION preamble_of(hash text, system text, tools text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    INSERT INTO preambles (hash, system, tools) VALUES ($1, $2, $3)
        ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id $$;
CREATE OR REPLACE FUNCTION blob_held(hash text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT 1 FROM turn_blobs t WHERE t.hash = $1) $$;
CREATE OR REPLACE FUNCTION wording_held(wording bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT 1 FROM requests r WHERE r.why_id = wording) OR EXISTS (SELECT 1 FROM requests r WHERE r.markers_id = wording)
        OR EXISTS (SELECT 1 FROM requests r WHERE r.usage_id = wording) $$;

-- Remembered replies carry their namespace among their tags.
CREATE OR REPLACE FUNCTION memo_tenant(memo text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT coalesce((SELECT substr(tag, 11) FROM memo_tags WHERE name = memo AND tag LIKE 'namespace:%' LIMIT 1), '') $$;

-- Search entries are written for whoever writes a turn, and by nobody else.
ALTER FUNCTION turn_written() SECURITY DEFINER;
ALTER FUNCTION vector_gone() SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION turn_written(), vector_gone(), unindex(bigint) FROM PUBLIC;
