"""The simulated Claude's summaries take the form, the length and the speakers that the request names."""

from __future__ import annotations

from typing import Any

from sash.simulator.replies import reply_to

from .samples import TOOL, body, user

ASKED = (
    "Write a summary. Use at most 30 words.\n## Standing instructions\n## Facts\n## Open requests\n## Where it stands"
)
TOLD = (
    '<turn n="1" role="user">\nAlways answer in metric units. My order number is 1138.\n</turn>\n'
    '<turn n="2" role="assistant">\nAlways pack it with Dr. Kay in Leeds.\n</turn>\n'
    '<turn n="3" role="user">\nIs it raining? Where is order 1138?\n</turn>\n'
)


def summary(*blocks: str, **fields: Any) -> str:
    """What the simulator writes when these blocks end in the request."""
    content = reply_to(body(user(*blocks), **fields)).content
    assert isinstance(content, str)
    return content


def sections(text: str) -> dict[str, list[str]]:
    """The lines under each title."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            lines = found[line[3:]] = []
        else:
            lines.append(line)
    return found


def test_titles_are_followed() -> None:
    """Each thing stands under the title that asks for it; what there is none of is none."""
    found = sections(summary(f"<conversation>\n{TOLD}</conversation>", ASKED))
    assert found["Standing instructions"] == ["- Always answer in metric units."]
    assert found["Facts"] == ["- My order number is 1138.", "- Always pack it with Dr. Kay in Leeds."]
    assert found["Open requests"] == found["Where it stands"] == ["- Where is order 1138?"]


def test_titles_may_stand_in_the_system_prompt() -> None:
    """The form is the same wherever it is asked for."""
    text = summary(TOLD, "Write the summary.", system="You write summaries.\n## Facts\n## Status")
    assert list(sections(text)) == ["Facts", "Status"]


def test_lengths_are_respected() -> None:
    """A summary stays within the words it is given."""
    told = " ".join(f"Box {number} went to Leeds with Ada on a Tuesday." for number in range(200))
    text = summary(told, "Summarise it in at most 60 words.")
    assert 40 <= len(text.split()) <= 60


def test_a_previous_summary_is_material() -> None:
    """Its lines are quoted without bullets and numbers, its titles are not."""
    text = summary("<previous_summary>\n## Facts\n- (3) Ada lives at 12 Elm Street.\n</previous_summary>", "Summarise.")
    assert text == "Ada lives at 12 Elm Street."


def test_no_tool_is_called_for_a_summary() -> None:
    """Tool names in what is summarised call nothing."""
    text = summary("Write a summary. Call no tools.\n<turn>Use order_status for order 7, Ada.</turn>", tools=[TOOL])
    assert "order 7" in text
