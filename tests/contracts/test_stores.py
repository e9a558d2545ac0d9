"""What every store must do: the contract of `sash.stores.port`."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest

from recording import MODEL, PREAMBLE, Recorder, text
from sash.errors import Conflict, ConversationClosed, InvalidOption, NotFound
from sash.model.counts import Count
from sash.model.turns import Attachment, Draft, Turn
from sash.stores.reports import CANDIDATES


def test_a_new_conversation_is_empty_and_found_again(record: Recorder) -> None:
    """Opening creates once; opening again finds the same."""
    assert record.head.seq == 0
    assert record.head.epoch is None
    assert record.head_of("a").conversation == record.key


def test_what_must_exist_and_does_not_is_not_found(record: Recorder) -> None:
    """Without `create`, a missing conversation raises NotFound and is not made."""
    for _ in range(2):
        with pytest.raises(NotFound):
            record.head_of("b", create=False)


def test_a_turn_is_pending_before_its_reply_and_answered_with_it(record: Recorder) -> None:
    """The user's turn is durable before anything is sent; the reply settles it."""
    begun = record.begin(text("Hello"))
    assert record.states() == ["pending"]
    reply = record.finish(begun)
    assert reply is not None
    assert record.states() == ["answered", "answered"]
    assert [turn.seq for turn in record.turns()] == [1, 2]
    assert record.head.turn == reply


def test_content_comes_back_byte_for_byte(record: Recorder) -> None:
    """The JSON text of a turn is stored as it is: order of keys, spaces, every letter."""
    content = '[{"type":"text","text":"z\\u0000 \\" é 漢 \\n"},{"text":"","type":"text"}]'
    record.begin(Draft(role="user", content=content))
    assert record.turns()[0].content == content


def test_a_failed_request_leaves_its_turn_pending_or_withdrawn(record: Recorder) -> None:
    """`withdraw` takes the named turns out of the view, never out of the record."""
    record.fail(record.begin(text("one")))
    begun = record.begin(text("two"))
    record.fail(begun, withdraw=[begun.turns[0].id])
    assert record.states() == ["pending", "withdrawn"]
    assert [turn.text for turn in record.window().turns] == ["one"]
    assert record.window().withdrawn == (2,)


def test_withdrawing_takes_all_that_is_pending(record: Recorder) -> None:
    """And says how many there were."""
    record.say("one")
    record.begin(text("two"))
    record.begin(text("three"))
    assert record.store.turns.withdraw(record.key) == 2
    assert record.states() == ["answered", "answered", "withdrawn", "withdrawn"]
    assert record.store.turns.withdraw(record.key) == 0


def test_requests_are_numbered_from_one_and_rebuilt(record: Recorder) -> None:
    """Request n comes back with its epoch and exactly the turns it sent."""
    record.say("one")
    record.say("two")
    request, epoch, turns = record.store.requests.read(record.key, number=2)
    assert (request.number, request.state, request.cost, request.stop_reason) == (2, "answered", 0.5, "end_turn")
    assert [turn.seq for turn in turns] == [1, 2, 3]
    assert epoch.first_seq == 1
    with pytest.raises(NotFound):
        record.store.requests.read(record.key, number=3)


def test_what_a_request_sent_has_its_sizes_on_any_branch(record: Recorder) -> None:
    """Sizes that were recorded for its model are read with it, also once the conversation went on elsewhere."""
    sized, fixed = Count(3, 4, "estimate", ""), Count(20, 25, "estimate", "")
    record.finish(record.begin(text("one"), counts={1: sized}, preamble_count=fixed))
    record.finish(record.begin(text("two")))
    record.branch(1)
    record.say("else")
    request, _, turns = record.store.requests.read(record.key, number=2)
    assert record.store.requests.sizes(request, turns) == ({1: sized, 2: Count(9, 17, "usage", "")}, fixed)
    other = replace(request, sent=replace(request.sent, model="claude-opus-5-5"))
    assert record.store.requests.sizes(other, turns) == ({}, None)


def test_a_window_begins_at_the_epochs_start(record: Recorder) -> None:
    """Turns before the start are not read; a reach brings them back."""
    for number in range(4):
        record.say(f"question {number}")
    record.say("cut here", cut=True)
    assert [turn.seq for turn in record.window().turns] == [9, 10]
    assert record.window(reach=100).turns[0].seq == 7
    assert record.window(reach=None).turns[0].seq == 1


def test_a_first_window_is_that_of_now_whatever_was_there_when_the_conversation_was_opened(record: Recorder) -> None:
    """What was read to open a conversation is not taken for what stands there when somebody asks."""
    record.say("one")
    record.head_of("a")
    record.say("two")
    assert record.window().head == record.head
    record.head_of("a")
    record.store.turns.append(record.key, head=4, turns=[text("three")], at=1.0)
    assert [turn.text for turn in record.window().turns][-1] == "three"
    assert record.window().head == record.head


def test_a_window_read_again_is_the_window_read_anew(record: Recorder) -> None:
    """Whatever a store remembers between two readings, it must not show."""
    for number in range(30):
        record.say(f"question {number}", cut=number % 9 == 8)
        if number % 4 == 0:
            record.fail(record.begin(text("pending")))
        if number % 11 == 7:
            record.store.turns.withdraw(record.key)
        warm = record.window()
        first = warm.turns[0].seq
        live = [turn for turn in record.turns(after=first - 1) if turn.state != "withdrawn"]
        assert list(warm.turns) == live


def test_counts_are_kept_by_turn_and_model_and_usage_wins(record: Recorder) -> None:
    """An exact count is never replaced by an estimate."""
    begun = record.begin(text("one"), counts={1: Count(5, 9, "estimate", "x")}, preamble_count=Count(4, 8, "estimate"))
    assert record.window().counts[begun.turns[0].id] == Count(5, 9, "estimate", "x")
    record.finish(begun, counts={1: Count(6, 6, "usage")}, preamble_count=Count(3, 3, "usage"))
    record.begin(text("two"), counts={1: Count(5, 9, "estimate", "x")}, preamble_count=Count(4, 8, "estimate"))
    window = record.window()
    assert window.counts[begun.turns[0].id] == Count(6, 6, "usage")
    assert window.preamble_count == Count(3, 3, "usage")
    other = record.store.windows.read(record.key, model="claude-haiku-5-5", preamble=None)
    assert other.counts == {}


def test_sizes_of_a_reply_that_lost_the_race_are_of_no_other_turn(record: Recorder) -> None:
    """What an answer told of its own branch is not taken for turns of the same numbers on the one gone on with."""
    record.say("one")
    slow = record.begin(text("two"))
    record.branch(2)
    record.say("else")
    before = record.window()
    own = {turn.seq: record.window().counts.get(turn.seq) for turn in before.turns}
    with pytest.raises(Conflict):
        record.finish(slow, counts={3: Count(77, 77, "usage")}, reply_count=Count(88, 88, "usage"))
    assert {turn.seq: record.window().counts.get(turn.seq) for turn in before.turns} == own
    kept = record.store.index.read(record.key, seqs=[*own], model=MODEL)
    assert {turn.seq: count for turn, count in kept} == own


def test_a_window_of_one_model_knows_no_sizes_of_another_ones(record: Recorder) -> None:
    """Also where a request to another model was planned before the window was read, and is answered after that."""
    record.say("one")
    record.window()
    other = partial(record.store.windows.read, record.key, model="claude-haiku-5-5", preamble=PREAMBLE)
    assert other().counts == {}
    record.say("two")
    assert other().counts == {}
    assert other().uncounted == {1, 2, 3, 4}


def test_a_view_asked_for_first_keeps_what_is_known_of_the_history(record: Recorder) -> None:
    """A history that is read for a first plan is not parsed again for the next one, which asks for the view first."""
    said = [text(f"words {number}", ("user", "assistant")[number % 2]) for number in range(24)]
    record.store.turns.append(record.key, head=0, turns=said, at=1.0)
    before = record.window(reach=100_000).turns
    assert record.window(reach=0).turns == ()
    again = record.window(reach=100_000).turns
    assert again == before and len(again) == 24
    assert all(one is other for one, other in zip(again[:8], before[:8], strict=True))


def test_the_last_answered_request_is_the_anchor(record: Recorder) -> None:
    """A failed request after it does not take its place."""
    record.say("one")
    record.fail(record.begin(text("two")))
    last = record.window().last
    assert last is not None
    assert (last.sent.last, last.usage.prompt) == (1, 123)


@pytest.mark.namespaces
def test_gaps_are_learned_from_plain_requests(record: Recorder, store: Any) -> None:
    """Start to start; other conversations of the namespace add their sums, other namespaces do not."""
    for _ in range(3):
        record.say("again")
    assert record.window().gaps == (11.0, 11.0)
    assert Recorder(store, "b").window().other_gaps == (2.0, 2.0, 2.0)
    assert Recorder(store, "c", namespace="other").window().other_gaps == (0.0, 0.0, 0.0)


def test_a_branch_shares_its_past(record: Recorder) -> None:
    """An edit goes on from its turn; the old branch stays in the record and can be gone back to."""
    record.say("one")
    record.say("two")
    old = record.head.branch
    shared = [turn.id for turn in record.turns()[:2]]
    head = record.branch(2)
    assert (head.seq, [turn.id for turn in record.turns()]) == (2, shared)
    record.say("three")
    assert [turn.text for turn in record.turns()] == ["one", "Yes.", "three", "Yes."]
    record.store.branches.switch(record.key, branch=old)
    assert [turn.text for turn in record.turns()] == ["one", "Yes.", "two", "Yes."]


def test_a_fork_is_a_conversation_of_its_own(record: Recorder, store: Any) -> None:
    """It shares the past, and neither sees what the other says later."""
    record.say("one")
    record.branch(2, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("from b")
    record.say("from a")
    assert [turn.text for turn in other.turns()] == ["one", "Yes.", "from b", "Yes."]
    assert [turn.text for turn in record.turns()] == ["one", "Yes.", "from a", "Yes."]
    with pytest.raises(InvalidOption):
        record.branch(2, "fork", as_id="b")


def test_a_branch_off_a_branch_off_a_branch(record: Recorder) -> None:
    """Lineage goes through any number of forks."""
    record.say("one")
    for depth in range(5):
        record.branch(record.head.seq - 1 if depth % 2 else record.head.seq)
        record.say(f"depth {depth}")
    seqs = [turn.seq for turn in record.turns()]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("seq", [-1, 3])
def test_a_branch_needs_a_turn_to_leave_from(record: Recorder, seq: int) -> None:
    """NotFound for a number that the branch does not hold."""
    record.say("one")
    with pytest.raises(NotFound):
        record.branch(seq)


def test_pins_hold_exchanges(record: Recorder) -> None:
    """Pinning any turn of an exchange pins the exchange; it is read in front of a later start."""
    first = record.say("one")
    record.say("two")
    record.say("three", cut=True)
    record.pin(first.id)
    record.pin(first.id)
    window = record.window()
    assert window.pinned_seqs == {1}
    assert [turn.text for turn in window.pinned_turns] == ["one", "Yes."]
    record.pin(record.turns()[0].id, pinned=False)
    assert record.window().pinned_seqs == set()


def test_a_pin_is_of_its_branch_and_goes_along_with_a_fork(record: Recorder, store: Any) -> None:
    """Another branch has another turn of that number, which is not pinned."""
    kept = record.say("one")
    record.say("two")
    record.pin(kept.id)
    record.pin(record.turns()[2].id)
    record.branch(2, "fork", as_id="b")
    other = Recorder(store, "b")
    other.say("something else")
    assert other.window().pinned_seqs == {1}
    assert record.window().pinned_seqs == {1, 3}


def test_only_what_can_be_sent_can_be_pinned(record: Recorder, store: Any) -> None:
    """A turn of another conversation is not found, a withdrawn one refused."""
    foreign = Recorder(store, "b").say("not mine")
    with pytest.raises(NotFound):
        record.pin(foreign.id)
    begun = record.begin(text("one"))
    record.fail(begun, withdraw=[begun.turns[0].id])
    with pytest.raises(InvalidOption):
        record.pin(begun.turns[0].id)
    record.pin(begun.turns[0].id, pinned=False)


def test_turns_are_read_in_pages(record: Recorder) -> None:
    """`after` and `limit` walk forward, `newest` counts from the end."""
    for number in range(3):
        record.say(f"question {number}")
    assert [turn.seq for turn in record.turns(limit=4)] == [1, 2, 3, 4]
    assert [turn.seq for turn in record.turns(after=4, limit=4)] == [5, 6]
    assert [turn.seq for turn in record.turns(limit=2, newest=True)] == [5, 6]
    assert record.turns(after=6) == []


def test_a_turn_is_found_by_its_id_on_its_branch_alone(record: Recorder) -> None:
    """A turn that an edit left behind is not on the present branch."""
    left = record.say("one")
    assert record.store.turns.one(record.key, turn=left.id) == left
    record.branch(0)
    with pytest.raises(NotFound):
        record.store.turns.one(record.key, turn=left.id)


def test_what_was_said_elsewhere_is_appended_as_answered(record: Recorder) -> None:
    """With its own times and speakers, and without a request."""
    drafts = (text("hello"), Draft(role="assistant", content=text("hi").content, at=5.0, speaker="Oda"))
    turns = record.store.turns.append(record.key, head=0, turns=drafts, at=77.0)
    assert [(turn.seq, turn.state, turn.at, turn.speaker) for turn in turns] == [
        (1, "answered", 77.0, None),
        (2, "answered", 5.0, "Oda"),
    ]
    assert record.head.requests == 0


def test_a_turn_that_is_read_is_the_turn_that_was_recorded(record: Recorder) -> None:
    """All of it: no field is left to what its class has where nothing is said."""
    quoted = Attachment(content=text("old").content, tokens=9, sources=())
    drafts = (
        Draft(role="user", content=text("hello").content, at=5.0, speaker="Oda", attachment=quoted),
        Draft(role="assistant", content=text("hi").content, form=text("ho").content, origin=1),
    )
    turns = record.store.turns.append(record.key, head=0, turns=drafts, at=77.0)
    assert list(record.turns()) == list(turns)
    for turn in (*record.turns(), *turns):
        assert {field.name for field in fields(Turn)} <= vars(turn).keys()


@pytest.mark.namespaces
def test_search_finds_words_and_takes_signs_as_text(record: Recorder, store: Any) -> None:
    """Words match whatever their case and accents; operators mean nothing; namespaces stay apart."""
    record.say("The Café ledger of crate 1138")
    Recorder(store, "b", namespace="other").say("the cafe ledger")
    (hit,) = store.search("cafe LEDGER")
    assert (hit.conversation, hit.seq, hit.role) == ("a", 1, "user")
    assert "[ledger]" in hit.snippet
    for query in ('"', "ledger OR", "NEAR(", "ledger*", "-crate", "", "  "):
        assert len(store.search(query)) <= 1
    assert store.search("ledger AND nothing") == []
    assert len(store.search("ledger", namespace="other")) == 1
    assert store.search("ledger", conversation="none") == []


@pytest.mark.namespaces
def test_a_search_compares_the_newest_turns_that_hold_its_words(record: Recorder, store: Any) -> None:
    """All of them where a tenant has few, as many of the newest where it has more; whatever others say."""
    best, rest = text("a slate roof, slate on slate"), [text(f"a slate roof, {n:03}") for n in range(1, CANDIDATES)]
    other = Recorder(store, "b", namespace="other")
    for one in (other, record, other):
        one.store.turns.append(one.key, head=one.head.seq, turns=[best, *rest], at=77.0)
    found = store.search("slate", limit=CANDIDATES + 9)
    assert [hit.seq for hit in found] == [1, *range(CANDIDATES, 1, -1)]
    assert store.search("slate", limit=1) == found[:1]
    assert store.search("slate roof", limit=1, conversation="a", user="")[0].seq == 1
    store.turns.append(record.key, head=CANDIDATES, turns=[text("a slate roof, 200")], at=77.0)
    assert [hit.seq for hit in store.search("slate", limit=CANDIDATES + 9)] == [*range(CANDIDATES + 1, 1, -1)]
    assert {hit.conversation for hit in store.search("slate", namespace="other", limit=9)} == {"b"}


def test_usage_sums_what_was_answered(record: Recorder, store: Any) -> None:
    """By day, model and conversation; failed requests cost nothing; an unknown group is refused."""
    record.say("one")
    record.say("two")
    record.fail(record.begin(text("three")))
    Recorder(store, "b").say("four")
    (row,) = store.usage(by=("model",))
    assert (row.group, row.requests, row.prompt, row.read, row.output) == ((MODEL,), 3, 369, 300, 27)
    assert row.dollars == pytest.approx(1.5)
    assert [r.group for r in store.usage(by=("conversation", "day"))] == [("a", "1970-01-01"), ("b", "1970-01-01")]
    assert store.usage(by=(), conversation="none") == []
    with pytest.raises(InvalidOption):
        store.usage(by=("colour",))


@pytest.mark.namespaces
def test_conversations_are_listed_newest_first_in_pages(store: Any) -> None:
    """Each once, however many pages, used at the same moment or not; namespaces stay apart."""
    for number in range(7):
        one = Recorder(store, f"c{number}")
        one.now += 100 * (number // 4)
        one.say("hello")
    Recorder(store, "elsewhere", namespace="other")
    seen: list[str] = []
    before = None
    while page := store.conversations(limit=3, before=before):
        seen += [info.id for info in page]
        before = page[-1]
    assert seen == [f"c{number}" for number in reversed(range(7))]
    assert [info.id for info in store.conversations(namespace="other")] == ["elsewhere"]


def test_the_branches_of_a_conversation_are_found_from_any_of_them(record: Recorder, store: Any) -> None:
    """Each with where it parts and how far it goes, whichever is the present one; those of forks are not ours."""
    record.say("one")
    first = record.head.branch
    record.branch(2, "edit")
    record.say("two")
    second = record.head.branch
    record.branch(2, "fork", "b")
    fork = Recorder(store, "b")
    fork.say("three")
    fork.branch(4, "regenerate")
    told = [(first, None, 0, "start", 2), (second, first, 2, "edit", 4)]
    for present in (second, first):
        store.branches.switch(record.key, branch=present)
        found = store.branches.read(record.key, limit=9)
        assert [(one.id, one.parent, one.fork_seq, one.reason, one.newest) for one in reversed(found)] == told
    assert [one.reason for one in store.branches.read(fork.key, limit=9)] == ["regenerate", "fork"]
    assert len(store.branches.read(record.key, limit=1)) == 1


def test_requests_are_paged_backwards(record: Recorder, store: Any) -> None:
    """The newest first, each as `read` gives it."""
    for number in range(5):
        record.say(f"say {number}")
    pages = [store.requests.page(record.key, limit=2, before=before) for before in (None, 4, 2)]
    assert [[one.number for one in page] for page in pages] == [[5, 4], [3, 2], [1]]
    assert pages[0][0] == store.requests.read(record.key, number=5)[0]


@pytest.mark.namespaces
def test_what_was_dearest_comes_first(store: Any) -> None:
    """Conversations by what they cost; usage by its dearest groups, of a day and later."""
    for name, times in (("a", 1), ("b", 3), ("c", 2)):
        for number in range(times):
            Recorder(store, name).say(f"say {number}")
    Recorder(store, "free")
    Recorder(store, "elsewhere", namespace="other").say("hello")
    assert [info.id for info in store.dearest(limit=9)] == ["b", "c", "a"]
    assert [info.id for info in store.dearest(limit=1)] == ["b"]
    assert [row.group for row in store.usage(by=("conversation",), most=2)] == [("b",), ("c",)]
    assert [row.requests for row in store.usage(by=("day",), most=1)] == [6]
    assert store.usage(by=("model",), since="1970-01-02") == []
    assert [row.requests for row in store.usage(by=("conversation",), since="1970-01-01")] == [1, 3, 2]


@pytest.mark.namespaces
def test_users_are_those_who_left_something(store: Any) -> None:
    """A conversation, a memory file or an entry in a profile; by name, page by page; of one namespace."""
    store.branches.open(namespace="", id="1", user="bob")
    store.branches.open(namespace="", id="2", user="bob")
    store.branches.open(namespace="", id="3")
    store.branches.open(namespace="other", id="4", user="zoe")
    store.memory_files.change(lambda folder: folder.write("/memories/a", "x"), user="ann", at=0.0)
    store.profile("carla").set("Likes slate")
    assert store.users() == ["ann", "bob", "carla"]
    assert (store.users(limit=1), store.users(after="ann", limit=1)) == (["ann"], ["bob"])
    assert store.users(namespace="other") == ["zoe"]


def test_lists_are_narrowed(store: Any) -> None:
    """By a part of id or title, by tag, model and cost, and by all of them together; odd metadata has no tags."""
    for name, title, tags in (
        ("mill", "The Mill house", ["work", 'an "odd" one']),
        ("windmill", None, "work"),
        ("cake", "Ein Kuchen für Ännchen", ["home"]),
        ("bare", None, None),
    ):
        Recorder(store, name).say("hello")
        store.describe(name, title=title, metadata=None if tags is None else {"tags": tags})

    def listed(**filters: Any) -> set[str]:
        return {info.id for info in store.conversations(**filters)}

    assert listed(title="mill") == {"mill", "windmill"}
    assert listed(title="MILL HOUSE") == listed(tag="work") == listed(tag='an "odd" one') == {"mill"}
    assert listed(title="für Ännchen") == {"cake"}
    assert listed(tag="wor") == listed(model="none") == listed(dollars=100.0) == set()
    every = listed()
    assert listed(model=MODEL) == listed(dollars=0.0) == every and len(every) == 4
    [found] = store.conversations(title="i", tag="home", model=MODEL, dollars=0.1)
    assert (found.id, found.model) == ("cake", MODEL)


def test_title_and_metadata_are_the_apps(store: Any) -> None:
    """None leaves a field as it is; a missing conversation is not found."""
    Recorder(store)
    store.describe("a", title="Crates", metadata={"user": 7})
    info = store.describe("a", title=None)
    assert (info.title, dict(info.metadata), info.turns) == ("Crates", {"user": 7}, 0)
    with pytest.raises(NotFound):
        store.describe("b", title="none")


def test_a_store_closes_at_the_end_of_its_block(record: Recorder) -> None:
    """`with` gives the store, and closes it however the block ends."""
    with pytest.raises(ZeroDivisionError), record.store as store:
        assert store is record.store and store.conversations()
        1 / 0  # noqa: B018
    with pytest.raises(ConversationClosed):
        record.store.conversations()


def test_a_closed_store_says_so(record: Recorder, store: Any) -> None:
    """Closing twice is fine; anything else raises ConversationClosed."""
    store.close()
    store.close()
    with pytest.raises(ConversationClosed):
        _ = record.head
    with pytest.raises(ConversationClosed):
        store.search("word")


@pytest.mark.namespaces
def test_a_deleted_conversation_is_gone_and_its_cost_is_not(record: Recorder, store: Any) -> None:
    """Only the one of this namespace goes; its sums stay; forks take over what they share of it."""
    record.say("a slate roof")
    record.branch(2, "fork", "b")
    fork = Recorder(store, "b")
    fork.say("a fork")
    sent = store.requests.read(fork.key, number=1)
    record.say("a tin roof")
    other = Recorder(store, "a", namespace="other")
    other.say("a slate roof")
    spent = store.usage(by=())
    with pytest.raises(NotFound):
        store.delete("a", namespace="elsewhere")
    done = store.delete("a")
    assert (done.turns, done.heirs) == (2, ("b",))
    with pytest.raises(NotFound):
        store.delete("a")
    assert [info.id for info in store.conversations()] == ["b"]
    assert [turn.text for turn in fork.turns()] == ["a slate roof", "Yes.", "a fork", "Yes."]
    assert store.requests.read(fork.key, number=1) == sent
    assert [hit.conversation for hit in store.search("roof")] == ["b"]
    assert len(other.turns()) == 2
    assert store.usage(by=()) == spent
    assert store.delete("b").turns == 4
    assert store.search("roof") == []


@pytest.mark.parametrize(("seq", "known"), [(0, None), (1, 1), (2, 1), (3, 2), (4, 2)])
def test_a_branch_reads_the_newest_request_all_of_whose_turns_it_shares(
    record: Recorder, seq: int, known: int | None
) -> None:
    """Up to and with the last turn that was sent; what was asked further on is none of its own."""
    for words in ("one", "two"):
        record.say(words)
    record.branch(seq)
    last = record.window().last
    assert (last.sent.last if last else None) == (None if known is None else 2 * known - 1)
