"""Tool results judged before they are kept: what the API refuses once, it refuses with every later request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from sash.model.blocks import Block, dumps, text_block
from sash.model.functions import error_result, made_sendable
from sash.model.turns import Draft
from sash.planning.rules import Problem, check_request

REFUSED = "[the tool ran, but Claude cannot be sent its result: {}]"


DAMAGED = "its record is damaged"


def read_kept(call: Block, text: str) -> Block:
    """A result that was kept for `call`, as the API takes it; where the record is damaged, an error that says so."""
    result = _read(text)
    return refused(call, DAMAGED) if result is None else judged(call, result)


def _read(text: str) -> Block | None:
    try:
        result = json.loads(text)
    except ValueError:
        return None
    return result if isinstance(result, dict) else None


def judged(call: Block, result: Block) -> Block:
    """`result`, if the API takes it as the answer to `call`; else with those parts in words that it would refuse.

    Where that does not mend it, an error result that says so.
    """
    sendable = made_sendable(result)
    problems = _problems(call, sendable)
    if not problems:
        return sendable
    worded = _in_words(sendable, problems)
    return worded if not _problems(call, worded) else refused(call, problems[0].message)


def refused(call: Block, why: str) -> Block:
    """The result that tells Claude that the true one could not be sent."""
    return error_result(call, REFUSED.format(why))


def without_results(draft: Draft, why: str) -> Draft:
    """The turn with its tool results replaced by what tells that they could not be sent.

    Those that are text alone stand, where others are under suspicion.
    """
    results = [block for block in draft.blocks if block.get("type") == "tool_result"]
    suspected = [block for block in results if _shows(block)] or results
    blocks = [
        refused({**block, "id": block["tool_use_id"]}, why) if block in suspected else block for block in draft.blocks
    ]
    return replace(draft, content=dumps(blocks))


def _shows(result: Block) -> bool:
    content = result.get("content")
    return isinstance(content, list) and any(part.get("type") != "text" for part in content)


def unsendable(call: Block, kept: str) -> str:
    """The first thing that the API would refuse of a result that was kept (JSON), in words; "" where it takes it."""
    result = _read(kept)
    if result is None:
        return DAMAGED
    return next((problem.message for problem in _problems(call, result)), "")


def _problems(call: Block, result: Block) -> list[Problem]:
    asked = {"type": "tool_use", "id": call["id"], "name": "a_tool", "input": {}}
    messages = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [asked]},
        {"role": "user", "content": [result]},
    ]
    found = check_request({"model": "", "messages": messages})
    return [problem for problem in found if problem.path.startswith("messages.2.")]


def _in_words(result: Block, problems: Iterable[Problem]) -> Block:
    """The result with each part that a problem names replaced by what the problem says."""
    content = result.get("content")
    if not isinstance(content, list):
        return result
    said: dict[int, str] = {}
    for problem in problems:
        place = problem.path.split(".")
        if len(place) > 5:  # messages.2.content.0.content.<part>
            said.setdefault(int(place[5]), problem.message)
    return {
        **result,
        "content": [
            text_block(f"[{part['type']}: it cannot be shown to Claude: {said[at]}]") if at in said else part
            for at, part in enumerate(content)
        ],
    }
