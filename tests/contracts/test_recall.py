"""What every store must do for recall: by words, by characters, by meaning, within one line of turns."""

from __future__ import annotations

import builtins
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recording import MODEL, Recorder, text
from sash.errors import InvalidOption, MissingExtra
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft
from sash.recall import make_query
from sash.recall.ranking import Matches
from sash.stores import embedders, vocabulary
from sash.stores import vectors as vectors_module
from sash.stores.characters import CONTINUATIONS
from sash.stores.index import LACKING
from sash.stores.vectors import Blocks, as_stored, unit_rows

TOPICS = {"cat": 0, "kitten": 0, "boat": 1, "harbour": 1, "cake": 2, "bread": 2}


class Topics:
    """An embedder of six words with three meanings; it remembers what it was given."""

    def __init__(self, name: str = "topics", width: int = 3) -> None:
        self.name, self.width = name, width
        self.seen: list[str] = []

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How often each meaning stands in a text."""
        self.seen += texts
        return [[sum(text.lower().count(w) for w, at in TOPICS.items() if at == axis) for axis in range(self.width)]
                for text in texts]  # fmt: skip


def matches(record: Recorder, query: str, until: int | None = None) -> Matches:
    """What the indexes know of a query."""
    found: Matches = record.store.index.match(record.key, terms=make_query(query).terms, until=until)
    return found


def found(record: Recorder, query: str, until: int | None = None) -> list[int]:
    """seqs of the turns that hold any term of a query."""
    return sorted({seq for hits in matches(record, query, until).hits for seq in hits.seqs})


def near(record: Recorder, query: str, embedder: Any, **more: Any) -> list[tuple[int, float]]:
    """Turns by closeness in meaning, those that have none of it left out."""
    closest = record.store.index.near(record.key, text=query, embedder=embedder, **{"gains": (), **more})
    return [(seq, round(close, 2)) for seq, close in closest if close > 0]


def embedded(record: Recorder, query: str, embedder: Any, **more: Any) -> list[tuple[int, float]]:
    """The same, once all turns have a vector."""
    record.store.index.embed(record.key, embedder=embedder)
    return near(record, query, embedder, **more)


def vectors(record: Recorder) -> list[tuple[int, str, int]]:
    """(seq, embedder, bytes) of all stored vectors of the store."""
    with record.store.database.reading() as db:
        rows = db.execute("SELECT place & 4294967295, embedder, length(vector) FROM vectors ORDER BY place")
        return [tuple(row) for row in rows]


# ---- words ----------------------------------------------------------------------------------------


def test_only_this_conversation_is_searched(record: Recorder, store: Any) -> None:
    """Neither another conversation nor the same name in another namespace is found, nor counted as turns."""
    record.say("The lantern is green.", "Noted.")
    Recorder(store, "b").say("The lantern is red.", "lantern")
    Recorder(store, "a", namespace="other").say("The lantern is blue.", "lantern")
    assert found(record, "lantern") == [1]
    assert matches(record, "lantern").total == 2


def test_word_forms_case_and_accents_do_not_matter(record: Recorder) -> None:
    """English endings are cut, letters compared without case and accents."""
    record.say("Three Lanterns hang in the Café.")
    for query in ("lantern", "LANTERNS", "cafe", "café", "hanging"):
        assert found(record, query) == [1], query


def test_numbers_and_identifiers_are_found_exactly(record: Recorder) -> None:
    """1138 is neither 11380 nor 113, and an identifier is the run of its parts."""
    record.say("order 1138 of part AX-200/b", "order 11380 of part AX-20")
    assert found(record, "1138") == [1] and found(record, "113") == []
    term = next(hits for hits in matches(record, "AX-200/b").hits if hits.term.text == "ax 200 b")
    assert term.seqs == (1,)


def test_scripts_without_spaces_are_found_by_characters(record: Recorder) -> None:
    """Chinese, Japanese, Korean and Thai turns, by words of one, two or more characters at any place."""
    record.say("我的储物柜密码是七七三一", "ロッカーは青いドアの後ろ")
    record.say("자물쇠 번호를 알려 주세요", "กุญแจอยู่หลังประตูสีฟ้า")
    assert found(record, "密码") == found(record, "七七三一") == found(record, "柜") == [1]
    assert found(record, "青い") == found(record, "ドア") == [2]
    assert found(record, "번호") == [3] and found(record, "ประตู") == [4]
    assert found(record, "咖啡") == []


def test_what_others_say_hides_nothing(record: Recorder, store: Any) -> None:
    """Two characters that a file holds in hundreds of places are still found in the conversation that asks."""
    drafts = tuple(text(f"关于订单{chr(0x4E00 + at)}的事") for at in range(CONTINUATIONS + 1))
    other = Recorder(store, "b", namespace="other")
    store.turns.append(other.key, head=0, turns=drafts, at=1.0)
    record.say("我的订单很晚", "好")
    assert found(record, "订单") == [1]
    assert len(found(other, "订单")) == len(drafts)


def test_words_between_characters_are_found_exactly(record: Recorder) -> None:
    """A number or name that stands in Chinese or Thai without a space is a word of its own there, too."""
    record.say("订单1138号在iPhone盒子里", "订单11380号在box里 1138")
    record.say("รหัส7731ครับ")
    assert found(record, "1138") == [1, 2] and found(record, "iphone") == [1]
    assert found(record, "113") == [] and found(record, "7731") == [3]


def test_a_script_the_index_does_not_break_is_found_by_whole_words(record: Recorder) -> None:
    """Amharic and Hindi words are words like any other."""
    record.say("ሰላም ለዓለም", "नमस्ते दुनिया")
    assert found(record, "ሰላም") == [1] and found(record, "दुनिया") == [2]


@pytest.mark.parametrize("sign", ["\x00", "\x10", "\x1f"])
@pytest.mark.parametrize("word", ["漢字", "語", "lantern", "1138", "слово"])
def test_signs_that_nobody_sees_hide_no_words(record: Recorder, word: str, sign: str) -> None:
    """What stands before, between or behind control characters is found, and can be taken out."""
    for said in (f"{sign}{word}", f"So {sign} {word}{sign}", f"{word}{sign}"):
        begun = record.begin(Draft(role="user", content=dumps([text_block(said)])))
        record.finish(begun, "Noted.")
    assert found(record, word) == [1, 3, 5]
    record.store.forgetting.redact(record.key, turn=record.turns()[0].id, reason="", at=2.0)
    assert found(record, word) == [3, 5]


def test_until_ends_the_search(record: Recorder) -> None:
    """Only turns before that seq are found and counted; before the first there is nothing."""
    for _ in range(3):
        record.say("The lantern is green.", "Noted.")
    assert found(record, "lantern", until=5) == [1, 3]
    assert matches(record, "lantern", until=5).total == 4
    assert found(record, "lantern", until=1) == []


def test_a_fork_sees_the_shared_past_and_its_own_turns(record: Recorder, store: Any) -> None:
    """What was said before the fork belongs to both, what was said after it to one."""
    record.say("The lantern is green.", "Noted.")
    record.say("The lantern is red.", "Noted.")
    record.branch(2, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("The lantern is blue, like the anchor.", "Noted.")
    record.say("The anchor is black.", "Noted.")
    assert found(other, "lantern") == [1, 3] and found(record, "lantern") == [1, 3]
    assert found(other, "anchor") == [3] and found(record, "anchor") == [5]
    read = store.index.read(other.key, seqs=(1, 3), model=MODEL)
    assert ["blue" in turn.text for turn, _ in read] == [False, True]


def test_a_branch_left_behind_is_not_searched(record: Recorder) -> None:
    """After an edit the turns it replaced are no longer found."""
    record.say("The lantern is green.", "Noted.")
    record.branch(0)
    record.say("The anchor is black.", "Noted.")
    assert found(record, "lantern") == [] and found(record, "anchor") == [1]


def test_speakers_names_are_told_apart(record: Recorder) -> None:
    """The words of the speakers' names come with the matches."""
    named = [Draft(role="user", content=text("Hello").content, speaker=name) for name in ("Oda M.", "Ben")]
    record.store.turns.append(record.key, head=0, turns=tuple(named), at=1.0)
    assert matches(record, "oda").names == {"oda", "m", "ben"}


def test_turns_are_read_in_the_order_of_the_line(record: Recorder, store: Any) -> None:
    """However their seqs are asked for, whichever branches they stand on, and however the database goes about it."""
    if hasattr(store.database, "_sqlite"):  # what is asked for in no order comes backwards
        store.database._sqlite.execute("PRAGMA reverse_unordered_selects = ON")
    for number in range(20):
        record.say(f"Lantern {number}.", "Noted.")
    record.branch(30, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("The last lantern.", "Noted.")
    for seqs in ([*range(32, 0, -3)], [2, 4], [31, 3, 30, 1]):
        read = store.index.read(other.key, seqs=seqs, model=MODEL)
        assert [turn.seq for turn, _ in read] == sorted(seqs)


def test_withdrawn_turns_are_not_read(record: Recorder) -> None:
    """What was refused is in the record and never comes back from it."""
    begun = record.begin(text("The lantern is green."))
    record.fail(begun, withdraw=[begun.turns[0].id])
    record.say("Another thing.")
    there = record.store.index.read(record.key, seqs=(1, 2, 3, 99), model=MODEL)
    assert [turn.seq for turn, _ in there] == [2, 3]


def test_redacted_turns_are_not_found(record: Recorder) -> None:
    """Neither by their words nor by their characters, and their vector goes."""
    record.say("The lantern is 漢字 like a cat.", "Noted.")
    embedded(record, "cat", Topics())
    turn = record.turns()[0]
    record.store.forgetting.redact(record.key, turn=turn.id, reason="", at=2.0)
    assert found(record, "lantern 漢字") == []
    assert [seq for seq, _, _ in vectors(record)] == [2]
    assert near(record, "cat", Topics()) == []


# ---- like words, times ----------------------------------------------------------------------------


def likes(record: Recorder, *words: str, embedder: Any = False, until: int | None = None) -> dict[str, tuple[int, ...]]:
    """Words like those asked for, and where they stand."""
    return {
        one.like: one.seqs for one in record.store.index.like(record.key, words=words, embedder=embedder, until=until)
    }


def test_a_word_that_nobody_used_finds_those_it_may_be_a_slip_of(record: Recorder) -> None:
    """Within the line of turns, as far as is asked; a word in use is no slip."""
    record.say("My suitcase is red.", "A fine suitcase.")
    assert likes(record, "suticase") == {"suitcase": (1, 2)}
    assert likes(record, "suticase", until=2) == {"suitcase": (1,)}
    assert likes(record, "suitcase") == {}


def test_words_that_come_later_are_known(record: Recorder) -> None:
    """What was read before is only extended."""
    record.say("My suitcase is red.")
    assert likes(record, "suticase") == {"suitcase": (1,)}
    record.say("Another suitcase, and a raincoat.")
    assert likes(record, "suticase", "raincaot") == {"suitcase": (1, 3), "raincoat": (3,)}


def test_a_fork_knows_the_words_of_the_shared_past(record: Recorder, store: Any) -> None:
    """Each word once, with the places of all segments."""
    record.say("My suitcase is red.", "I see.")
    record.branch(2, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("A suitcase is what I need.")
    assert likes(other, "suticase") == {"suitcase": (1, 3)}
    assert likes(record, "suticase") == {"suitcase": (1,)}


def test_words_of_like_meaning_are_known_to_the_extras_embedder_alone(record: Recorder) -> None:
    """Word vectors tell which words mean alike; an embedder of texts is never asked for single words."""
    record.say("We adopted a puppy.", "How lovely.")
    assert likes(record, "dog", embedder=True).get("puppy") == (1,)
    topics = Topics()
    assert likes(record, "dog", embedder=topics) == {} and topics.seen == []


def test_redacted_words_are_forgotten(record: Recorder) -> None:
    """Nothing that is gone is like what is asked for."""
    record.say("My suitcase is red.", "Noted.")
    likes(record, "suticase")
    record.store.forgetting.redact(record.key, turn=record.turns()[0].id, reason="", at=2.0)
    assert likes(record, "suticase") == {}


def test_turns_are_found_by_the_time_they_were_said(record: Recorder) -> None:
    """From a moment on and before another, in any of the spans; as far as is asked."""
    record.say("One.", "Two.")
    times = [turn.at for turn in record.turns()]
    index, whole = record.store.index, [(times[0], times[-1] + 1)]
    assert list(index.between(record.key, spans=whole)) == [1, 2]
    assert list(index.between(record.key, spans=whole, until=2)) == [1]
    assert list(index.between(record.key, spans=[(times[-1] + 1, times[-1] + 9)])) == []
    assert list(index.between(record.key, spans=[(times[0] - 9, times[0])])) == []


# ---- meaning --------------------------------------------------------------------------------------


def test_meaning_finds_what_shares_no_word(record: Recorder) -> None:
    """The nearest first, by the cosine."""
    record.say("The cat sleeps.", "A boat and a cat.")
    record.say("The bread is warm.")
    assert near(record, "kitten", Topics()) == [(1, 1.0), (2, 0.71)]
    assert near(record, "kitten", Topics(), most=1) == [(1, 1.0)]
    assert near(record, "kitten", Topics(), until=2) == [(1, 1.0)]


def test_a_query_without_direction_is_near_to_nothing(record: Recorder) -> None:
    """Where the embedder knows no word of it, nothing is found."""
    record.say("The cat sleeps.")
    assert record.store.index.near(record.key, text="zzz", embedder=Topics(), gains=(0.3,)) == []  # fmt: skip


def test_turns_beside_a_near_one_gain(record: Recorder) -> None:
    """Meaning is smeared over the exchange, as far as `gains` go."""
    record.say("The cat sleeps.", "Yes.")
    record.say("Hm.", "Well.")
    assert near(record, "cat", Topics(), gains=(0.3, 0.1)) == [(1, 1.0), (2, 0.3), (3, 0.1)]
    assert near(record, "cat", Topics(), gains=(0.3, 0.1), until=2) == [(1, 1.0)]


def test_vectors_catch_up_and_each_text_is_embedded_once(record: Recorder) -> None:
    """What has a vector is embedded no more; `most` bounds how many turns get theirs at a time."""
    embedder = Topics()
    record.say("The cat sleeps.")
    assert record.store.index.embed(record.key, embedder=embedder, most=1) == 1
    assert record.store.index.embed(record.key, embedder=embedder) == 1
    record.say("A boat.")
    embedded(record, "boat", embedder)
    assert embedder.seen.count("The cat sleeps.") == embedder.seen.count("A boat.") == 1
    assert near(record, "boat", embedder) == [(3, 1.0)]
    assert record.store.index.embed(record.key, embedder=embedder) == 0


def test_a_search_writes_nothing_and_finds_what_it_would_with_vectors(record: Recorder, store: Any) -> None:
    """Turns that have no vector yet are near by the very closeness that they have once they are embedded."""
    record.say("The cat sleeps.", "A boat and a cat, a boat and a boat.")
    record.store.index.embed(record.key, embedder=Topics(), most=1)
    record.branch(2, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("A kitten and bread.", "Bread.")
    for one in (record, other):
        before = vectors(one)
        asked = {"text": "kitten", "embedder": Topics(), "gains": (0.3,)}
        lacking = one.store.index.near(one.key, **asked)
        assert vectors(one) == before
        one.store.index.embed(one.key, embedder=Topics())
        assert one.store.index.near(one.key, **asked) == lacking
    assert len(vectors(record)) == 4


def test_a_search_embeds_no_whole_history(record: Recorder) -> None:
    """Of a history that was never embedded a search takes a part; once it is embedded, all is found."""
    said = [Draft(role="user" if at % 2 else "assistant", content=text(f"Cat {at}.").content) for at in range(1, 301)]
    record.store.turns.append(record.key, head=0, turns=tuple(said), at=1.0)
    embedder = Topics()
    assert len(near(record, "kitten", embedder)) == len(embedder.seen) - 1 == LACKING
    assert record.store.index.embed(record.key, embedder=embedder, most=200) == 200
    assert record.store.index.embed(record.key, embedder=embedder, most=200) == 100
    assert len(near(record, "kitten", embedder)) == 300


def test_words_of_a_long_history_are_learned_part_by_part(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search reads no more than some turns that were not read yet; `embed` goes on to the end."""
    monkeypatch.setattr(vocabulary, "TURNS", 3)
    for number in range(4):
        record.say(f"My suitcase {number} is red.", "The raincoat." if number == 3 else "I see.")
    assert likes(record, "suticase", "raincaot") == {"suitcase": (1, 3)}
    assert likes(record, "suticase", "raincaot") == {"suitcase": (1, 3, 5)}
    while record.store.index.embed(record.key, embedder=Topics(), most=2):
        pass
    assert likes(record, "suticase", "raincaot") == {"suitcase": (1, 3, 5, 7), "raincoat": (8,)}


def test_words_are_read_where_a_search_asked_for_some(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Embedding a conversation that nobody asks leaves its words alone; from the first search on it reads on."""
    read: list[str] = []

    def words(text: str) -> list[str]:
        read.append(text)
        return text.split()

    monkeypatch.setattr(vocabulary, "words_of", words)
    record.say("My suitcase is red.", "I see.")
    assert record.store.index.embed(record.key, embedder=Topics()) == 2 and read == []
    likes(record, "suticase")
    record.say("And the raincoat?", "Blue.")
    record.store.index.embed(record.key, embedder=Topics())
    assert len(read) == 4


def test_vectors_are_stored_in_bytes(record: Recorder) -> None:
    """One byte a number; a text without meaning takes none."""
    record.say("The cat sleeps.", "Hm.")
    embedded(record, "cat", Topics())
    assert vectors(record) == [(1, "topics", 3), (2, "topics", 0)]


def test_vectors_are_read_and_compared_some_at_a_time(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is near is the same however many vectors are read and multiplied at once, with some added meanwhile."""
    for number in range(4):
        record.say("The cat and a boat." if number % 2 else "A boat, a boat.", "Bread." if number else "Hm.")
    whole = embedded(record, "kitten", Topics())
    monkeypatch.setattr(vectors_module, "AT_ONCE", 2)
    record.store.index._blocks = Blocks()
    assert near(record, "kitten", Topics()) == whole
    record.say("The kitten.", "A cake.")
    assert dict(embedded(record, "kitten", Topics()))[9] > max(dict(whole).values())


def test_vectors_stored_before_are_read(record: Recorder, store: Any) -> None:
    """Older rows hold two bytes a number: they are searched beside new ones, and no turn is embedded again."""
    record.say("The cat sleeps.", "A boat and a boat and a cat.")
    before = embedded(record, "kitten", Topics())
    with store.database.writing() as db:
        for place, numbers in [(row[0], row[1]) for row in db.all("SELECT place, vector FROM vectors")]:
            halves = np.frombuffer(numbers, dtype=np.int8) / np.float16(127)
            db.execute("UPDATE vectors SET vector = ?, bytes = 2 WHERE place = ?", (halves.tobytes(), place))
    record.say("A kitten.", "Bread.")
    store.index._blocks = Blocks()  # as another process, which has read nothing yet
    embedder = Topics()
    assert embedded(record, "kitten", embedder) == [(3, 1.0), *before]
    assert embedder.seen == ["A kitten.", "Bread.", "kitten"]


@pytest.mark.parametrize("width", [1, 2, 64, 256])
def test_a_stored_vector_keeps_its_direction(width: int) -> None:
    """No number is off by more than half a step of its greatest one, so a cosine by no more than that comes to."""
    rows = unit_rows(np.random.default_rng(width).normal(size=(200, width)), 200, "any")
    stored, step = as_stored(rows), np.abs(rows).max(axis=1) / 254
    assert np.allclose(np.linalg.norm(stored, axis=1), 1)
    assert (1 - (stored * rows).sum(axis=1) <= width * step**2 / 2 + 1e-6).all()
    assert not as_stored(np.zeros((2, width), np.float32)).any()


def test_another_embedders_vectors_are_made_anew(record: Recorder) -> None:
    """Vectors under another name are replaced, never mixed, also when one comes back to the first."""
    record.say("The cat sleeps.", "A boat.")
    one, two = Topics("one"), Topics("two", width=2)
    for embedder in (one, two, one):
        assert embedded(record, "kitten", embedder) == [(1, 1.0)]
        assert {name for _, name, _ in vectors(record)} == {embedder.name}
    assert one.seen.count("A boat.") == 2


def test_one_name_has_one_length(record: Recorder) -> None:
    """Another model under the same name is refused by its length, not compared."""
    record.say("The cat sleeps.")
    embedded(record, "cat", Topics())
    with pytest.raises(InvalidOption, match="another length"):
        near(record, "cat", Topics(width=2))


def test_a_fork_shares_vectors(record: Recorder, store: Any) -> None:
    """The past is embedded once for all forks, and searched by each."""
    record.say("The cat sleeps.")
    embedded(record, "cat", Topics())
    record.branch(2, "fork", as_id="b")
    other, embedder = Recorder(store, "b"), Topics()
    other.say("A kitten and a boat.")
    assert near(other, "cat", embedder) == [(1, 1.0), (3, 0.71)]
    assert "The cat sleeps." not in embedder.seen
    assert near(record, "cat", embedder) == [(1, 1.0)]


@pytest.mark.parametrize(
    "rows", [[], [[1.0], [1.0, 2.0]], [1.0, 2.0], [[float("nan"), 1.0]], [["a"]], [[]], None, [[1.0], [2.0]]]
)
def test_an_embedder_that_gives_no_vectors_is_refused(record: Recorder, rows: Any) -> None:
    """One row of finite numbers for each text, all of one length: anything else names the embedder, stores nothing."""
    record.say("The cat sleeps.")

    broken = SimpleNamespace(name="broken", embed=lambda _: rows)
    with pytest.raises(InvalidOption, match="broken"):
        near(record, "cat", broken)
    assert vectors(record) == []


@pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `semantic` is not installed")
def test_the_extras_embedder_knows_meanings(record: Recorder) -> None:
    """`semantic=True` finds a turn that shares no word; a script it does not know has no direction."""
    record.say("My puppy chewed on the sofa.", "The invoice is due on Monday.")
    assert near(record, "dogs and furniture", True)[0][0] == 1
    assert not embedders.word_vectors().embed(["", "ᚠᚢᚦ"]).any()


def test_without_the_extra_it_is_named(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """MissingExtra says what to install, whether the data or what reads them is missing."""
    record.say("The cat sleeps.")
    embedders.word_vectors.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(embedders, "find_spec", {}.get)
        with pytest.raises(MissingExtra, match=r"sash\[semantic\]"):
            near(record, "cat", True)
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("tokenizers"):
            raise ImportError(name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(embedders, "_file", lambda *names: Path(names[0]))
        patch.setattr(builtins, "__import__", absent)
        with pytest.raises(MissingExtra, match=r"sash\[semantic\]"):
            near(record, "cat", True)


def test_other_conversations_are_told_by_what_their_user_said(record: Recorder, store: Any) -> None:
    """The best come first by words that are rare among the user's own turns, whatever others say and how often."""
    said = {"rare": "The mule is grey.", "common": "Flour, flour.", "more": "Flour again.", "nothing": "Hello."}
    for id, words in said.items():
        Recorder(store, id, user="ann").say(words)
    asked = {"user": "ann", "namespace": "", "terms": make_query("the mule and the flour").terms, "most": 9}
    before = [name for _, name in store.index.elsewhere(record.key, **asked)]
    assert before[0] == "rare" and sorted(before) == ["common", "more", "rare"]
    for number in range(40):
        Recorder(store, f"other {number % 3}", user="bob").say("My mule, your mule, his mule.")
    Recorder(store, "a", namespace="other", user="ann").say("A mule with flour.")
    assert [name for _, name in store.index.elsewhere(record.key, **asked)] == before
    assert [name for _, name in store.index.elsewhere(record.key, **{**asked, "most": 1})] == ["rare"]
