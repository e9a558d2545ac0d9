"""Laws of the patterns that are read late, and of the stems without which they are not looked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash.model.patterns import Section, joined, late, sections, stands_in
from sash.profile.forms import PREFERENCES
from sash.summaries.forms import FORMS

LETTERS = st.characters(max_codepoint=0x1C7F) | st.characters(min_codepoint=0x2000, max_codepoint=0xD7A3)
"""Without those of old Church Slavonic, though `re` takes some for letters of today."""
EVERY = "".join(map(chr, (*range(0x1C80), *range(0x1C90, 0xD800))))
STEMMED = [
    pytest.param(section, form, id=f"{section.name} {number}")
    for section in (*FORMS, *PREFERENCES)
    for number, form in enumerate(section.forms)
    if section.stems
]


@pytest.mark.parametrize(("section", "form"), STEMMED)
@settings(max_examples=15)
@given(data=st.data())
def test_whatever_a_form_finds_holds_one_of_its_stems(
    section: Section, form: re.Pattern[str], data: st.DataObject
) -> None:
    """So nothing is missed where a section without its stems is left out."""
    found = data.draw(st.from_regex(re.compile(form._text, form._flags), fullmatch=True, alphabet=LETTERS))  # type: ignore[attr-defined]
    assert stands_in(found, [section]) or not form.search(found)


@pytest.mark.parametrize("said", ["I AM DİABETİC", "İch bin vegan", "ALLERGİC TO NUTS"])
def test_a_dot_on_a_capital_i_hides_no_stem(said: str) -> None:
    """As Turkish keyboards write it: the form finds it, so it is looked for."""
    assert stands_in(said, PREFERENCES)


def test_every_letter_of_a_stem_is_found_in_all_its_ways() -> None:
    """Whatever `re` takes for a letter, cases ignored, is that letter to the look for stems."""
    for letter in {letter for section in (*FORMS, *PREFERENCES) for stem in section.stems for letter in stem}:
        only = [Section(name="letter", stems=[letter], forms=[late(".")])]
        missed = [found for found in re.findall(re.escape(letter), EVERY, re.I) if not stands_in(found, only)]
        assert not missed, letter


def test_a_table_gives_each_form_its_section() -> None:
    """What begins with blanks goes on the line before it, and a section without stems is looked for everywhere."""
    table = "\n# one\n| cat, dog,\n    cow\nWORD \\w+\n    s\\b\n\nbull\n\n# two\nb"
    one, two = sections(table, lambda form: form.replace("WORD", "(?:cats?|dog)"))
    assert (one.name, one.stems, len(one.forms), two.name) == ("one", ["cat", "dog", "cow"], 2, "two")
    assert stands_in("A Dog barks", [one]) and not stands_in("a dog", [one]) and stands_in("COW, BULL", [one])
    assert not stands_in("a bull", [one]) and stands_in("a Bull", [one, two])


def test_a_joined_section_finds_what_any_of_its_forms_finds() -> None:
    """A form that holds alternatives of its own, or goes on in the next line, is one alternative by itself."""
    found = joined(
        "\n# pet\nmy (?:CAT|dog)\nour\n    s|yours\n\n# bird\n^owl$", lambda form: form.replace("CAT", "cats?")
    )
    assert list(found) == ["pet", "bird"]
    assert [bool(found["pet"].search(text)) for text in ("My cats", "OURS", "yours", "cats", "our", "owl")] == [
        *(True, True, True), *(False, False, False),
    ]  # fmt: skip


def test_a_form_is_not_looked_for_where_none_of_its_stems_stands() -> None:
    """An unreadable pattern tells only where it is looked for."""
    unreadable = Section(name="broken", stems=("never", "always"), forms=[late("(")])
    assert not stands_in("What a day", [unreadable])
    with pytest.raises(re.error):
        stands_in("I NEVER go", [unreadable])
