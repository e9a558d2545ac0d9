"""What the simulated Claude says: only what stands in the prompt it was sent. Deterministic.

- A question is answered with the sentences of the prompt that share the most telling words with it; when
  none does, the reply says that it does not know. Of the system prompt, which mostly says how to answer, only what
  shares two thirds of these words. A statement is acknowledged by quoting it.
- Asked to summarise, it quotes the sentences that hold numbers, names or instructions: see `summarising`.
- A tool is called when the newest user text names it (`order_status` or "order status"), or `tool_choice`
  forces it; its input is filled from that text. After a tool result the reply quotes the result.
- With `output_config.format` the reply is JSON of that schema, filled with what is said of its names (`filling`),
  else with the same sentences; entries of a profile are quoted from the turns shown: see `profiling`.

It never looks at anything but the body, and cannot know what a strategy left out of it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.simulator.filling import Filler, fill_input, says
from sash.simulator.profiling import entries_in, entries_wanted
from sash.simulator.prompt import tools_in_prefix, visible_messages
from sash.simulator.reading import UNKNOWN, Reading, Sentence, clip, newest, read, said, split, telling
from sash.simulator.summarising import is_summary_request, summary_of, written

_QUESTION = re.compile(
    r"^(?:and\s+|so\s+|but\s+|ok(?:ay)?,?\s+|please,?\s+)?(what|who|whom|whose|when|where|why|which|how|is|are|was|were|do|does|did|can|"
    r"could|should|would|will|have|has|had|tell|remind|list|show|give|name|repeat|recall|explain|find)\b",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A scripted reply.

    `content`: text, or content blocks (a thinking block without a signature is signed). `stop_reason`: None
    finds it out (tool_use when there is a tool call, else end_turn). `thinking`: the thought in front where the
    request thinks; None makes one up, "" leaves it out. `output_tokens`: what to bill, None counts. `seconds`:
    how long the reply takes, beside the simulator's own pace. `raw`: the content goes out as it is, whatever it
    holds: no ids are given, nothing is signed, completed or cut.
    """

    content: str | Sequence[Mapping[str, Any]] = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    thinking: str | None = None
    output_tokens: int | None = None
    seconds: float = 0.0
    raw: bool = False

    def blocks(self) -> list[dict[str, Any]]:
        """The content as blocks; an empty text is no block."""
        content = [{"type": "text", "text": self.content}] if isinstance(self.content, str) else self.content
        return [dict(block) for block in content if block.get("type") != "text" or block.get("text")]


def reply_to(body: Mapping[str, Any]) -> Reply:
    """The simulated model's own reply to a body that passed the checks."""
    reading = read(body)
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    calls = _tool_calls(body, reading)
    if calls:
        return Reply(content=calls)
    if entries_wanted(schema):
        return Reply(content=entries_in(schema, body))
    if schema is not None:
        return Reply(content=json.dumps(_filled(schema, body, reading), ensure_ascii=False))
    if reading.results:
        return Reply(content=_quote_results(reading.results))
    return Reply(content=written(body, reading) or _answer(reading))


def _filled(schema: Mapping[str, Any], body: Mapping[str, Any], reading: Reading) -> Any:
    """A schema, filled: values from the newest request, then from what answers it, then from what users said last."""
    chosen = [sentence.text for sentence in summary_of(body, reading) or _relevant(reading)]
    told = [sentence.text for sentence in reversed(reading.sentences) if sentence.role == "user"]
    return Filler(schema, [reading.asked, *chosen, *told], chosen).fill()


def thought_about(body: Mapping[str, Any]) -> str:
    """A short thought on the newest request."""
    asked, _ = newest(visible_messages(body))
    topics = sorted(telling(asked), key=lambda word: (-len(word), word))[:4]
    if not topics:
        return "The user wrote something short. I will answer it directly."
    return f"The user's message is about {', '.join(topics)}. I will look for that in the conversation."


def _relevant(reading: Reading, most: int = 12) -> list[Sentence]:
    """The sentences that answer the newest request best, best first; later ones win among equals."""
    wanted = telling(reading.asked)
    pool = [s for s in reading.sentences if not s.text.endswith("?") and s.text not in UNKNOWN]
    pool = [s for s in pool if s.role != "system" or 3 * len(s.words & wanted) >= 2 * len(wanted)]
    if not wanted or not pool:
        return []
    seen = Counter(word for sentence in pool for word in sentence.words & wanted)
    weight = {word: math.log(1 + len(pool) / seen[word]) for word in seen}
    scored = [
        (sum(weight[word] for word in sentence.words & wanted) / math.sqrt(4 + len(sentence.words)), at, sentence)
        for at, sentence in enumerate(pool)
        if sentence.words & wanted
    ]
    scored.sort(key=lambda entry: (-round(entry[0], 9), -entry[1]))
    return [sentence for _, _, sentence in scored[:most]]


def _answer(reading: Reading) -> str:
    question = _last_question(reading.asked)
    if question is None:
        told = [sentence for sentence, _ in split(reading.asked)]
        return f"Understood. You said: {clip(told[-1])}" if told else "Understood."
    beside = [sentence for sentence in said("user", reading.asked) if sentence.text != question]
    found = _relevant(Reading(question, [], [*reading.sentences, *beside]), 3)
    if not found:
        return UNKNOWN
    best = list(dict.fromkeys(clip(sentence.text) for sentence in found))
    return "From our conversation: " + " ".join(best)


def _last_question(text: str) -> str | None:
    asked = [s for s, _ in split(text) if s.endswith(("?", "？")) or _QUESTION.match(s)]
    return asked[-1] if asked else None


def _quote_results(results: Sequence[tuple[str, str]]) -> str:
    quoted = [clip(text.strip(), 1_200) for _, text in results]
    return "The result: " + "\n".join(quoted) if any(quoted) else "The tool returned nothing."


def _tool_calls(body: Mapping[str, Any], reading: Reading) -> list[dict[str, Any]]:
    """The tool calls that the newest request asks for; the ids are given later."""
    tools = [tool for tool in tools_in_prefix(body) if (tool.get("type") or "custom") == "custom"]
    choice = body.get("tool_choice") or {}
    kind = choice.get("type") or "auto"
    busy = reading.results or is_summary_request(body, reading.asked)
    if not tools or kind == "none" or (busy and kind == "auto"):
        return []
    named = [tool for tool in tools if _names(reading.asked, tool["name"])]
    if kind == "tool":
        named = [tool for tool in tools if tool["name"] == choice["name"]]
    elif kind == "any" and not named:
        named = tools[:1]
    if choice.get("disable_parallel_tool_use"):
        named = named[:1]
    return [
        {"type": "tool_use", "name": tool["name"], "input": fill_input(tool["input_schema"], reading.asked)}
        for tool in named
    ]


def _names(text: str, tool: str) -> bool:
    return says(text, tool.replace("_", " ").replace("-", " "))
