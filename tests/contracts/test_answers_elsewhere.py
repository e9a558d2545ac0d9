"""What every store must do so that nothing is asked twice, and nobody asks who is ill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recording import MODEL, Recorder, text
from sash.errors import InvalidOption
from sash.model.batches import WaitingItem
from sash.model.epochs import Sent
from sash.model.submissions import Claim, Claimed
from sash.stores.memos import Kept

CLAIM = Claim(conversation=1, token="t", digest="d", within=0.0, arrived=10.0, at=10.0, lease=100.0)


def claim(record: Recorder, **changes: Any) -> Claimed:
    """Claim a submission."""
    claimed: Claimed = record.store.submissions.claim(replace(CLAIM, conversation=record.key, **changes))
    return claimed


# ---- claims ---------------------------------------------------------------------------------------


def test_a_submission_is_claimed_once(record: Recorder) -> None:
    """Whoever comes second finds it running, then answered with its numbers."""
    first = claim(record)
    assert first.state == "new"
    assert claim(record) == Claimed(state="running", submission=first.submission)
    record.store.submissions.release(first.submission)
    again = claim(record)
    assert again.state == "new"
    record.store.submissions.release(again.submission, (1, 2))
    assert claim(record) == Claimed(state="answered", submission=again.submission, numbers=(1, 2))


def test_a_claim_whose_turn_is_pending_is_taken_up_there(record: Recorder) -> None:
    """Failed with its turn recorded: the next claim sends what is pending."""
    first = claim(record)
    begun = record.begin(text("one"), submission=first.submission)
    record.fail(begun)
    record.store.submissions.release(first.submission)
    assert claim(record).state == "pending"


def test_a_claim_that_ran_out_is_void(record: Recorder) -> None:
    """After its lease nobody waits for it; until then, everybody does."""
    claim(record)
    assert claim(record, at=109.0).state == "running"
    assert claim(record, at=111.0).state == "new"


def test_the_turn_of_a_lost_claim_may_have_its_reply(record: Recorder) -> None:
    """Then that is the answer, whoever asked for it."""
    first = claim(record)
    record.finish(record.begin(text("one"), submission=first.submission))
    found = claim(record, at=1_000.0)
    assert (found.state, found.numbers) == ("answered", (1,))


def test_a_token_means_one_content(record: Recorder) -> None:
    """Another one under the same token is refused while the first stands."""
    claim(record)
    with pytest.raises(InvalidOption):
        claim(record, digest="other")


def test_without_a_token_the_newest_tells(record: Recorder) -> None:
    """The same content within its seconds, with nothing in between."""
    first = claim(record, token=None, within=5.0)
    assert claim(record, token=None, within=5.0, arrived=14.0).submission == first.submission
    assert claim(record, token=None, within=5.0, arrived=16.0).state == "new"
    claim(record, token=None, digest="other", within=5.0, arrived=17.0)
    assert claim(record, token=None, within=5.0, arrived=18.0).state == "new"


def test_answered_tokens_are_found_by_their_beginning(record: Recorder) -> None:
    """Over all conversations of a namespace, and of no other; signs of patterns mean themselves."""
    for number, name in enumerate(["a", "b"]):
        other = Recorder(record.store, name)
        claimed = claim(other, token=f"job_%:{number}")
        other.finish(other.begin(text("one"), submission=claimed.submission))
        record.store.submissions.release(claimed.submission, (1,))
    found = record.store.submissions.answered(namespace="", prefix="job_%:")
    assert found == {"job_%:0", "job_%:1"}
    assert record.store.submissions.answered(namespace="n", prefix="job_%:") == frozenset()
    assert record.store.submissions.answered(namespace="", prefix="jobs") == frozenset()


# ---- health ---------------------------------------------------------------------------------------


def _failed(record: Recorder, error: str, key: str = "") -> float:
    """When a request failed, that went with a key."""
    sent = Sent(model=MODEL, max_tokens=100, last=record.head.seq + 1, key=key)
    begun = record.begin(text("one"), sent=sent)
    at = record.now
    record.store.requests.fail(begun.request, error=error, request_id=None, at=at)
    return at


@pytest.mark.parametrize(
    ("error", "ill"),
    [
        ("Unavailable: overloaded_error", True),
        ("BreakerOpen: x", True),
        ("RequestRejected: y", False),
        ("Abandoned", False),
    ],
)
def test_a_model_that_failed_is_ill_until_it_answers(record: Recorder, error: str, ill: bool) -> None:
    """For the far side's sake alone, and only of late."""
    at = _failed(record, error)

    def failed(since: float) -> Any:
        return record.store.health.models(models=(MODEL, "other"), since=since)

    assert failed(at - 1) == ({MODEL: at} if ill else {})
    assert failed(at) == {}
    record.say("two")
    assert failed(at - 1) == {}


def test_a_key_that_was_refused_rests_longer(record: Recorder) -> None:
    """One that was limited is asked again sooner."""
    refused = _failed(record, "AccessDenied: authentication_error", key="one")
    limited = _failed(record, "Unavailable: rate_limit_error", key="two")

    def out(limited_since: float) -> Any:
        found = record.store.health.keys(keys=("one", "two"), limited_since=limited_since, refused_since=refused - 1)
        return set(found)

    assert out(limited - 1) == {"one", "two"}
    assert out(limited + 1) == {"one"}


# ---- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["question", "summary"])
def test_a_batch_is_kept_until_all_is_settled(record: Recorder, kind: Any) -> None:
    """Before it is submitted, while it waits, item by item, as it was recorded; then it is nobody's any more."""
    items = tuple(
        WaitingItem(custom_id=f"x-{n}", conversation=record.key, model=MODEL, facts={"position": n, "turns": [1, 2]})
        for n in (3, 1, 2)
    )
    kept = record.store.batches.keep(kind=kind, namespace="n", job="j", terms={"limit": 5}, items=items, at=5.0)

    def under_way(**more: Any) -> Any:
        return record.store.batches.read(**{"kind": kind, "namespace": "n", "job": "j", **more})

    def waiting() -> Any:
        return record.store.batches.items(kept.id)

    assert (kept.batch, kept.phase, kept.size, kept.terms, kept.at) == ("", "submitting", 3, {"limit": 5}, 5.0)
    assert under_way() == under_way(kind=None, namespace=None, job=None) == [kept]
    assert under_way(namespace="") == under_way(job="k") == under_way(phases=("submitted",)) == []
    assert under_way(kind="summary" if kind == "question" else "question") == []
    assert waiting() == list(items)
    record.store.batches.mark(kept.id, phase="submitted", batch="msgbatch_1")
    assert [(one.batch, one.phase) for one in under_way()] == [("msgbatch_1", "submitted")]
    record.store.batches.close_item("x-3")
    assert waiting() == list(items[1:])
    record.store.batches.mark(kept.id, phase="done")
    assert waiting() == under_way() == []
    assert [one.batch for one in under_way(phases=("done", "lost"))] == ["msgbatch_1"]


# ---- memos ----------------------------------------------------------------------------------------


def test_a_memo_is_found_until_its_time_and_forgotten_by_tag(store: Any) -> None:
    """With what it came with; a newer one takes its place; uses are counted."""
    kept = Kept(content=b"{}", kind="application/json", request_id="r", at=10.0, dollars=0.5)
    store.memos.keep("n", kept, until=20.0, tags=("a", "b"), most=100)
    assert store.memos.find("n", 15.0) == kept
    assert store.memos.find("n", 20.0) is None
    assert store.memos.find("m", 15.0) is None
    store.memos.keep("n", replace(kept, content=b"[]"), until=30.0, tags=("c",), most=100)
    assert store.memos.forget("a") == 0
    assert store.memos.forget("c") == 1
    used = store.memos.use()
    assert (used.entries, used.asked, used.hits, used.saved) == (0, 3, 1, 0.5)


# ---- models and keys ------------------------------------------------------------------------------


def test_epochs_on_two_models_go_on_side_by_side(record: Recorder) -> None:
    """A window for a model is read from its own epoch, where there is one beside the present one."""
    record.say("one")
    home = record.head.epoch
    assert home is not None
    side = replace(home, id=0, model="claude-opus-5-5", family=home.family, first_seq=3, thinking_stripped_to=2)
    begun = record.begin(text("two"), epoch=side, home=MODEL)
    record.finish(begun, model="claude-opus-5-5")
    assert record.head.model == MODEL
    assert record.head.epoch is not None
    assert record.head.epoch.model == "claude-opus-5-5"
    found = record.window().head.epoch
    assert found is not None
    assert found.id == home.id
    assert [turn.model for turn in record.turns()] == ["", MODEL, "", "claude-opus-5-5"]
