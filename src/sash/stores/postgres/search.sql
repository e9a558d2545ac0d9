-- The full-text search of a new schema, as SQLite's FTS5 does it: words with their endings cut, whatever their accents,
-- and single characters, and pairs of them, of scripts without spaces. Nothing here needs an extension.
-- `setup.py` puts the names of a dictionary and of a collation in place of those in braces.
CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = {stems});
CREATE TEXT SEARCH CONFIGURATION words (PARSER = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR asciiword, word, numword, asciihword, hword, numhword,
    hword_asciipart, hword_part, hword_numpart, uint, int, float, sfloat, version, email, host, url, url_path, file,
    protocol, tag, entity WITH stems;

CREATE FUNCTION ids(written text) RETURNS TABLE (value bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC SELECT one::bigint FROM json_array_elements_text(written::json) one; END;

-- Small letters without accents.
CREATE FUNCTION bare(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(normalize(lower(said COLLATE {collation}), NFD), '[\u0300-\u036f]+', '', 'g');

-- Whether a text holds scripts without spaces: as in `sash.recall.words`.
CREATE FUNCTION spaceless(said text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN said ~ '[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]';

-- The words of a text, as far as an index takes them: no signs, no scripts without spaces.
CREATE FUNCTION indexed_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('words', regexp_replace(bare(regexp_replace(left(said, 200000),
        '[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+', ' ', 'g')),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7'
        '\u2000-\u206f\u20a0-\u20cf\u2100-\u214f\u2190-\u245f\u2500-\u2bff\u3000-\u303f\ufe30-\ufe4f\uff01-\uff0f]+', ' ', 'g'));

-- Single characters and pairs of them.
CREATE FUNCTION indexed_characters(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT array_to_tsvector(array_agg(DISTINCT piece)) FROM (
        SELECT unnest(ARRAY[sign, sign || lead(sign) OVER (ORDER BY place)]) AS piece
        FROM unnest(string_to_array(lower(left(said, 100000) COLLATE {collation}), NULL)) WITH ORDINALITY AS signs (sign, place)
    ) pieces WHERE piece IS NOT NULL);

-- A query as sash writes it: quoted words and phrases, with OR between them.
CREATE FUNCTION asked(query text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN websearch_to_tsquery('words', bare(query));

CREATE TABLE turns_fts (rowid BIGINT PRIMARY KEY, words tsvector NOT NULL);
CREATE INDEX turns_fts_words ON turns_fts USING gin (words);
CREATE TABLE turns_characters (rowid BIGINT PRIMARY KEY, words tsvector NOT NULL);
CREATE INDEX turns_characters_words ON turns_characters USING gin (words);
CREATE VIEW turns_characters_docsize AS SELECT rowid AS id FROM turns_characters;

CREATE FUNCTION unindex(place bigint) RETURNS void LANGUAGE sql BEGIN ATOMIC
    DELETE FROM turns_fts WHERE rowid = place;
    DELETE FROM turns_characters WHERE rowid = place;
    DELETE FROM vectors WHERE vectors.place = unindex.place;
END;

CREATE FUNCTION turn_written() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM unindex(OLD.place); END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO turns_fts VALUES (NEW.place, indexed_words(NEW.text));
        IF spaceless(NEW.text) THEN INSERT INTO turns_characters VALUES (NEW.place, indexed_characters(NEW.text)); END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER turns_written AFTER INSERT OR DELETE OR UPDATE OF text, branch_id, seq ON turns
    FOR EACH ROW EXECUTE FUNCTION turn_written();

CREATE FUNCTION vector_gone() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO vectors_removed VALUES (OLD.place >> 32, 1)
        ON CONFLICT (branch_id) DO UPDATE SET removed = vectors_removed.removed + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER vectors_gone AFTER DELETE ON vectors FOR EACH ROW EXECUTE FUNCTION vector_gone();
