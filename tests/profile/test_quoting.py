"""A profile as it stands in a request: as much of it as a share holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sash.profile import Entry
from sash.profile.quoting import quoted_profile, quoted_within_share


def entry(number: int, text: str) -> Entry:
    """A fact."""
    return Entry(id=number, kind="fact", text=text, topic="", sources=(), by="hand", at=float(number))


@given(st.lists(st.integers(1, 60)), st.integers(0, 900))
def test_the_newest_that_fit_are_quoted(lengths: list[int], most: int) -> None:
    """All that the share holds, and not one more."""
    entries = [entry(number, "a" * length) for number, length in enumerate(lengths)]
    kept = quoted_within_share(entries, most, len)
    newest = entries[::-1]
    assert list(kept) == newest[: len(kept)] and (not kept or len(quoted_profile(kept)) <= most)
    assert len(kept) == len(entries) or len(quoted_profile(newest[: len(kept) + 1])) > most


def test_little_more_than_the_share_is_ever_counted() -> None:
    """However long the profile is: no text is measured that is much longer than what may be told."""
    asked: list[int] = []

    def tokens(text: str) -> int:
        asked.append(len(text))
        return len(text)

    quoted_within_share([entry(number, "My thing is called so.") for number in range(5_000)], 1_000, tokens)
    assert max(asked) < 2_500 and len(asked) < 20
