"""The prompt cache on bare sizes."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.simulator import CacheBlock, CacheRules, CacheUse, PromptCache


def blocks(*parts: Any) -> list[CacheBlock]:
    """Blocks of (tokens, marker) with chained keys; a part may also name its key: (tokens, marker, name)."""
    named = [(*part, f"b{index}")[:3] for index, part in enumerate(parts)]
    keys = accumulate((name for _, _, name in named), lambda before, name: f"{before}/{name}")
    return [
        CacheBlock(key=key, tokens=tokens, marker=marker) for key, (tokens, marker, _) in zip(keys, named, strict=True)
    ]


def run(length: int, *marked: int, start: int = 0) -> list[CacheBlock]:
    """`length` blocks of 100 tokens, with 5 min markers at some positions."""
    return blocks(*((100, "5m" if at + start in marked else None) for at in range(length)))


def test_first_request_writes_up_to_the_last_marker() -> None:
    """What lies behind the last marker is fresh, all before it is written with its marker's lifetime."""
    use = PromptCache().request(blocks((1000, "1h"), (500, "5m"), (20, None)), now=0, tail=3)
    assert use == CacheUse(fresh=23, write_1h=1000, write_5m=500)


def test_second_request_reads_what_the_first_wrote() -> None:
    """A longer prompt with the same prefix reads it, and writes only what is new."""
    cache = PromptCache()
    cache.request(blocks((1000, "5m"), (500, "5m")), now=0)
    use = cache.request(blocks((1000, "5m"), (500, None), (70, "5m"), (5, None)), now=10)
    assert use == CacheUse(fresh=5, read=1500, write_5m=70)


def test_reads_look_back_over_twenty_positions() -> None:
    """An entry 19 blocks before a marker is found, one 20 blocks before it is not."""
    for added, read in ((19, 100), (20, 0)):
        cache = PromptCache()
        cache.request(run(1, 0), now=0)
        assert cache.request(run(1 + added, added), now=1).read == read


def test_a_marker_on_the_entry_itself_reads_it_however_far_the_end_is() -> None:
    """A second marker on the earlier position finds it when more than 20 blocks were added."""
    cache = PromptCache()
    cache.request(run(1, 0), now=0)
    assert cache.request(run(60, 0, 59), now=1).read == 100


def test_nothing_below_the_minimum_is_cached() -> None:
    """A prefix shorter than the minimum is billed fresh, silently; the minimum itself suffices."""
    cache = PromptCache()
    assert cache.request(run(5, 4), now=0, minimum=501) == CacheUse(fresh=500)
    assert cache.request(run(5, 4), now=0, minimum=500) == CacheUse(fresh=0, write_5m=500)


def test_short_marked_prefix_is_written_by_the_next_marker() -> None:
    """A marker below the minimum counts for nothing; what it marked is written by a later marker of its lifetime."""
    use = PromptCache().request(blocks((100, "1h"), (900, "5m")), now=0, minimum=512)
    assert use == CacheUse(fresh=0, write_5m=1000)


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
def test_lifetimes_end_exactly(ttl: Any, seconds: int) -> None:
    """An entry can be read until its lifetime is over, not at that moment."""
    for later, read in ((seconds - 0.001, 1000), (seconds, 0)):
        cache = PromptCache()
        cache.request(blocks((1000, ttl)), now=50.0)
        assert cache.request(blocks((1000, ttl)), now=50.0 + later).read == read


def test_a_read_refreshes_at_no_charge() -> None:
    """Read every four minutes, a 5 min entry lives for ever."""
    cache = PromptCache()
    cache.request(blocks((1000, "5m")), now=0)
    uses = [cache.request(blocks((1000, "5m")), now=240.0 * n) for n in range(1, 30)]
    assert {use.read for use in uses} == {1000} and {use.write_5m for use in uses} == {0}


def test_lifetime_counts_from_request_start() -> None:
    """A reply that begins four minutes after its request leaves one minute of a 5 min entry."""
    for later, read in ((299, 1000), (301, 0)):
        cache = PromptCache()
        cache.request(blocks((1000, "5m")), now=0, first_event_after=240)
        assert cache.request(blocks((1000, "5m")), now=later).read == read


def test_entries_cannot_be_read_before_the_first_event() -> None:
    """Parallel cold requests all pay for the write."""
    cache = PromptCache()
    cache.request(blocks((1000, "5m")), now=0, first_event_after=2)
    assert cache.request(blocks((1000, "5m")), now=1).write_5m == 1000
    assert cache.request(blocks((1000, "5m")), now=3.1).read == 1000


def test_workspaces_and_models_share_nothing() -> None:
    """An entry is read only by the same model in the same workspace."""
    cache = PromptCache()
    cache.request(blocks((1000, "5m")), now=0, workspace="a", model="m")
    assert cache.request(blocks((1000, "5m")), now=1, workspace="b", model="m").read == 0
    assert cache.request(blocks((1000, "5m")), now=1, workspace="a", model="n").read == 0
    assert cache.request(blocks((1000, "5m")), now=1, workspace="a", model="m").read == 1000


def mixed(cache: PromptCache) -> CacheUse:
    """Write P for 5 min, then P and T for 1 h on top of it, and come back after ten minutes."""
    cache.request(blocks((1000, "5m")), now=0)
    cache.request(blocks((1000, "1h"), (500, "1h")), now=1)
    return cache.request(blocks((1000, "1h"), (500, "1h")), now=600)


def test_a_prefix_is_readable_up_to_its_first_expired_segment() -> None:
    """By default a 1 h segment on an expired 5 min one is lost; two switches read the documentation otherwise."""
    assert mixed(PromptCache()) == CacheUse(fresh=0, write_1h=1500)
    assert mixed(PromptCache(CacheRules(through_expired=True))).read == 1500
    assert mixed(PromptCache(CacheRules(marker_lengthens=True))).read == 1500


def test_a_read_refreshes_every_segment_with_its_own_lifetime() -> None:
    """Reading a tail keeps the preamble below it alive; the switch confines refreshing to the entry that was hit."""
    for rules, read in ((CacheRules(), 1500), (CacheRules(refresh_whole_prefix=False), 0)):
        cache = PromptCache(rules)
        cache.request(blocks((1000, "5m"), (500, "5m")), now=0)
        cache.request(blocks((1000, None), (500, "5m")), now=200)
        assert cache.request(blocks((1000, None), (500, "5m")), now=400).read == read


def test_a_marker_inside_the_read_part_writes_only_by_switch() -> None:
    """Entries are written behind the furthest hit; whether a marker before it becomes an entry is a switch."""
    for rules, read in ((CacheRules(), 0), (CacheRules(marker_in_read_writes=True), 1000)):
        cache = PromptCache(rules)
        cache.request(blocks((1000, None), (500, "5m")), now=0)
        cache.request(blocks((1000, "5m"), (500, "5m")), now=1)
        assert cache.request(blocks((1000, "5m"), (7, None, "other")), now=2).read == read


def test_markers_on_uncacheable_blocks_are_ignored() -> None:
    """A marker on a thinking block neither reads nor writes."""
    marked = [CacheBlock(key="a", tokens=1000, marker="5m", cacheable=False)]
    assert PromptCache().request(marked, now=0) == CacheUse(fresh=1000)


def test_illegal_markers_are_refused() -> None:
    """Five markers, or 5 min before 1 h, cannot be looked up."""
    with pytest.raises(InvalidOption):
        PromptCache().request(run(5, 0, 1, 2, 3, 4), now=0)
    with pytest.raises(InvalidOption):
        PromptCache().request(blocks((1000, "5m"), (1000, "1h")), now=0)


def test_looking_up_changes_nothing() -> None:
    """Only `commit` writes and refreshes."""
    cache = PromptCache()
    for _ in range(2):
        found = cache.look_up(["a"], [1000], [(0, "5m")], total=1000, now=0)
        assert found.use.write_5m == 1000
    cache.commit(found, now=0)
    assert cache.look_up(["a"], [1000], [(0, "5m")], total=1000, now=1).use.read == 1000


def test_forgetting_sweeps_only_what_has_expired() -> None:
    """Ten thousand and more entries are swept without losing a living one."""
    cache = PromptCache()
    cache.request([CacheBlock(key="kept", tokens=10, marker="1h")], now=0)
    for number in range(10_050):
        cache.request([CacheBlock(key=number, tokens=10, marker="5m")], now=number * 0.2)
    assert cache.request([CacheBlock(key="kept", tokens=10, marker="1h")], now=2_500).read == 10
    assert cache.alive(now=2_500) < 2_000


sizes = st.lists(st.integers(1, 3_000), min_size=1, max_size=40)
ttls = st.sampled_from(["5m", "1h"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[list[CacheBlock], float]:
    """A prompt out of a small family of prefixes, with legal markers, and the seconds since the one before."""
    length = draw(st.integers(1, 40))
    fork = draw(st.integers(0, 40))
    places = sorted(draw(st.sets(st.integers(0, length - 1), max_size=4)))
    lives = sorted((draw(ttls) for _ in places), reverse=False)  # "1h" sorts before "5m"
    markers = dict(zip(places, lives, strict=True))
    parts = [(50 + 37 * at % 400, markers.get(at), f"{'x' if at >= fork else 'y'}{at}") for at in range(length)]
    return blocks(*parts), draw(st.sampled_from([0.0, 1.0, 200.0, 301.0, 3601.0]))


rules = st.builds(
    CacheRules,
    through_expired=st.booleans(),
    refresh_whole_prefix=st.booleans(),
    marker_lengthens=st.booleans(),
    marker_in_read_writes=st.booleans(),
)


@given(st.lists(requests(), min_size=1, max_size=12), rules, st.sampled_from([0, 512]))
def test_every_token_is_billed_once(sent: list[tuple[list[CacheBlock], float]], how: CacheRules, least: int) -> None:
    """Whatever is sent, the four counters are never negative and add up to the prompt."""
    cache, now = PromptCache(how), 0.0
    for prompt, gap in sent:
        now += gap
        use = cache.request(prompt, now=now, minimum=least, tail=3)
        assert min(use.fresh, use.read, use.write_5m, use.write_1h) >= 0
        assert use.prompt == sum(block.tokens for block in prompt) + 3
        if not any(block.marker for block in prompt):
            assert use.fresh == use.prompt


@given(st.lists(requests(), min_size=1, max_size=12))
def test_a_request_sent_again_at_once_reads_all_that_it_marked(sent: list[tuple[list[CacheBlock], float]]) -> None:
    """Right after a request, the same one writes nothing."""
    cache, now = PromptCache(), 0.0
    for prompt, gap in sent:
        now += gap
        first = cache.request(prompt, now=now)
        again = cache.request(prompt, now=now)
        assert again.read == first.read + first.write_5m + first.write_1h
        assert again.write_5m == again.write_1h == 0
