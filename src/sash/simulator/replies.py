"""What the simulated Claude says: only what stands in the prompt it was sent. Deterministic.

- A question is answered with the sentences of the prompt that share the most telling words with it; when
  none does, the reply says that it does not know. A statement is acknowledged by quoting it.
- Asked to summarise, it quotes the sentences that hold numbers, names or instructions, in their order.
- A tool is called when the newest user text names it (`order_status` or "order status"), or `tool_choice`
  forces it; its input is filled from that text. After a tool result the reply quotes the result.
- With `output_config.format` the reply is JSON of that schema, filled with the same sentences.

It never looks at anything but the body, and cannot know what a strategy left out of it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sash.simulator.prompt import Block, blocks_of, tools_in_prefix, visible_messages

UNKNOWN = "I don't know: nothing in this conversation tells me that."
_SUMMARISE = re.compile(
    r"\b(summari[sz]e|summari[sz]ing|(write|make|update|give|produce|create)\b.{0,60}\bsummary)\b", re.I
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)\]])\s+|(?<=[。！？])")
_QUOTING = re.compile(r"^(?:(?:From our conversation|You said|The result): )+")  # our own words around a quotation
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*", re.U)
_TAG = re.compile(r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?>")
_QUESTION = re.compile(
    r"^(?:and\s+|so\s+|but\s+|ok(?:ay)?,?\s+|please,?\s+)?(what|who|whom|whose|when|where|why|which|how|is|are|was|were|do|does|did|can|"
    r"could|should|would|will|have|has|had|tell|remind|list|show|give|name|repeat|recall|explain|find)\b",
    re.I,
)
_STOP = frozenset(
    re.findall(
        r"\S+",
        "a about again all also an and any are as at be because been before but by can could did do does doing for "
        "from get give had has have he her hers him his how i if in into is it its just know list made make may me "
        "mine might more most my no nor not of off on once only or other our ours out please recall remember remind "
        "repeat said say she should show so some such tell than that the their them then there these they this those "
        "to told too up us very was we were what when where which who whom whose why will with would you your yours",
    )
)
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]+|\b[A-Z]{2,}[\w-]*|\b\w*\d[\w-]*")
_RULE = re.compile(
    r"\b(always|never|must|should|prefer|please|remember|do not|don't|from now on|call me|my name|instead)\b", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A scripted reply.

    `content`: text, or content blocks (a thinking block without a signature is signed). `stop_reason`: None
    finds it out (tool_use when there is a tool call, else end_turn). `thinking`: the thought in front where the
    request thinks; None makes one up, "" leaves it out. `output_tokens`: what to bill, None counts. `seconds`:
    how long the reply takes, beside the simulator's own pace.
    """

    content: str | Sequence[Mapping[str, Any]] = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    thinking: str | None = None
    output_tokens: int | None = None
    seconds: float = 0.0

    def blocks(self) -> list[dict[str, Any]]:
        """The content as blocks; an empty text is no block."""
        content = [{"type": "text", "text": self.content}] if isinstance(self.content, str) else self.content
        return [dict(block) for block in content if block.get("type") != "text" or block.get("text")]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the prompt: its text, its telling words, who said it."""

    text: str
    words: frozenset[str]
    role: str


@dataclass(slots=True)
class _Reading:
    """A prompt as the replies see it: the newest request, and everything else as sentences."""

    asked: str
    results: list[tuple[str, str]]
    sentences: list[Sentence]


def reply_to(body: Mapping[str, Any]) -> Reply:
    """The simulated model's own reply to a body that passed the checks."""
    reading = _read(body)
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    calls = _tool_calls(body, reading)
    if calls:
        return Reply(content=calls)
    if schema is not None:
        chosen = _summary_of(body, reading) or _relevant(reading)
        return Reply(content=json.dumps(_Filler(chosen).value(schema), ensure_ascii=False))
    if reading.results:
        return Reply(content=_quote_results(reading.results))
    summary = _summary_of(body, reading)
    return Reply(content=" ".join(sentence.text for sentence in summary) if summary else _answer(reading))


def thought_about(body: Mapping[str, Any]) -> str:
    """A short thought on the newest request."""
    asked = _read(body).asked
    topics = sorted(_telling(asked), key=lambda word: (-len(word), word))[:4]
    if not topics:
        return "The user wrote something short. I will answer it directly."
    return f"The user's message is about {', '.join(topics)}. I will look for that in the conversation."


def _read(body: Mapping[str, Any]) -> _Reading:
    messages = visible_messages(body)
    last = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=-1)
    asked, results = _newest(messages[last]) if last >= 0 else ("", [])
    texts = list(_texts(body, messages))
    newest = max((at for at, said in enumerate(texts) if said == ("user", asked)), default=-1)
    sentences = [
        Sentence(sentence, words, role)
        for at, (role, text) in enumerate(texts)
        if at != newest
        for sentence, words in _split(text)
    ]
    if is_summary_request(body, asked):  # the material may stand in the same text as the request
        sentences += [Sentence(s, words, "user") for s, words in _split(asked) if not _SUMMARISE.search(s)]
    return _Reading(asked, results, sentences)


def _newest(message: Block) -> tuple[str, list[tuple[str, str]]]:
    """The newest user text (its last block), and the (id, text) of the tool results beside it."""
    blocks = blocks_of(message["content"])
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    results = [(block["tool_use_id"], text_of(block)) for block in blocks if block["type"] == "tool_result"]
    return (texts[-1] if texts else ""), results


def _texts(body: Mapping[str, Any], messages: Sequence[Block]) -> Iterator[tuple[str, str]]:
    for block in blocks_of(body.get("system") or ()):
        yield "system", text_of(block)
    for message in messages:
        for block in blocks_of(message["content"]):
            if text := text_of(block):
                yield message["role"], text


def text_of(block: Block) -> str:
    """All that can be read in a block: text, tool results, documents, summaries, tool inputs; never thinking."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "tool_use":
        return f"{block['name']} {json.dumps(block['input'], ensure_ascii=False)}"
    if kind == "document":
        source = block["source"]
        inner = source.get("data") if source.get("type") == "text" else source.get("content") or ""
        return inner if isinstance(inner, str) else "\n".join(map(text_of, inner))
    content = block.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(text_of(part) for part in content or () if isinstance(part, Mapping))


@lru_cache(maxsize=4_096)
def _split(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The sentences of a text with their telling words; tags and blank lines fall away."""
    found = []
    for line in _TAG.sub("\n", text).split("\n"):
        found += [part for piece in _SENTENCE_END.split(line) if (part := _QUOTING.sub("", piece.strip()))]
    return tuple((sentence, _telling(sentence)) for sentence in found)


def _telling(text: str) -> frozenset[str]:
    words = (word.lower().removesuffix("'s").removesuffix("’s") for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in _STOP and (len(word) > 1 or not word.isascii()))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _relevant(reading: _Reading, most: int = 12) -> list[Sentence]:
    """The sentences that answer the newest request best, best first; later ones win among equals."""
    wanted = _telling(reading.asked)
    pool = [s for s in reading.sentences if not s.text.endswith("?") and s.text not in UNKNOWN]
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


def _answer(reading: _Reading) -> str:
    question = _last_question(reading.asked)
    if question is None:
        said = [sentence for sentence, _ in _split(reading.asked)]
        return f"Understood. You said: {_clip(said[-1])}" if said else "Understood."
    found = _relevant(_Reading(question, [], reading.sentences), 3)
    if not found:
        return UNKNOWN
    best = list(dict.fromkeys(_clip(sentence.text) for sentence in found))
    return "From our conversation: " + " ".join(best)


def _last_question(text: str) -> str | None:
    asked = [s for s, _ in _split(text) if s.endswith(("?", "？")) or _QUESTION.match(s)]
    return asked[-1] if asked else None


def _clip(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " ..."


def _quote_results(results: Sequence[tuple[str, str]]) -> str:
    quoted = [_clip(text.strip(), 1_200) for _, text in results]
    return "The result: " + "\n".join(quoted) if any(quoted) else "The tool returned nothing."


def is_summary_request(body: Mapping[str, Any], asked: str) -> bool:
    """Whether the newest user text, or else the system prompt, asks for a summary."""
    system = "\n".join(text_of(block) for block in blocks_of(body.get("system") or ()))
    return bool(_SUMMARISE.search(asked[:2_000]) or _SUMMARISE.search(asked[-2_000:]) or _SUMMARISE.search(system))


def _summary_of(body: Mapping[str, Any], reading: _Reading) -> list[Sentence]:
    return summary_sentences(reading.sentences) if is_summary_request(body, reading.asked) else []


def summary_sentences(sentences: Sequence[Sentence], share: float = 0.25, least: int = 3) -> list[Sentence]:
    """The most telling part of what was said (by characters, about `share`), in the order in which it was said."""
    said = [s for s in sentences if s.role != "system" and s.text not in UNKNOWN and not s.text.endswith("?")]
    allowed = max(share * sum(len(s.text) for s in said), 1)
    ranked = sorted(range(len(said)), key=lambda at: (-_interest(said[at]), at))
    chosen: list[int] = []
    used, texts = 0, set()
    for at in ranked:
        if len(chosen) >= least and used + len(said[at].text) > allowed:
            continue
        if said[at].text not in texts:
            chosen.append(at)
            texts.add(said[at].text)
            used += len(said[at].text)
    return [said[at] for at in sorted(chosen)]


def compacted(body: Mapping[str, Any], share: float) -> str:
    """About `share` of what a whole conversation says, by quoting; the system prompt is no part of it."""
    said = [
        Sentence(sentence, words, role)
        for role, text in _texts({}, visible_messages(body))
        for sentence, words in _split(text)
    ]
    return "\n".join(_clip(sentence.text) for sentence in summary_sentences(said, share))


def _interest(sentence: Sentence) -> float:
    """How much a sentence holds that must not be lost: names, numbers and instructions, for its length."""
    facts = len(_NAME.findall(sentence.text)) + 2 * len(_RULE.findall(sentence.text)) + (sentence.role == "user")
    return facts / math.sqrt(8 + len(sentence.words))


def _tool_calls(body: Mapping[str, Any], reading: _Reading) -> list[dict[str, Any]]:
    """The tool calls that the newest request asks for; the ids are given later."""
    tools = [tool for tool in tools_in_prefix(body) if (tool.get("type") or "custom") == "custom"]
    choice = body.get("tool_choice") or {}
    kind = choice.get("type") or "auto"
    if not tools or kind == "none" or (reading.results and kind == "auto"):
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
    return _says(text, tool.replace("_", " ").replace("-", " "))


def _says(text: str, words: str) -> bool:
    """Whether the text has these words as words; a blank stands for `_` and `-` too."""
    spoken = re.escape(words).replace(r"\ ", "[ _-]")
    return re.search(rf"(?<![\w-]){spoken}(?![\w-])", text, re.I) is not None


def fill_input(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A tool's input from a text: `name: value` or `name value` where it is said, else the first fitting thing."""
    properties = _properties(schema)
    required = schema.get("required")
    required = required if isinstance(required, list) else list(properties)
    return {name: _argument(name, kind, text) for name, kind in properties.items() if name in required}


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _options(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return found if isinstance(found, list) else []


def _argument(name: str, schema: Any, text: str) -> Any:
    schema = schema if isinstance(schema, Mapping) else {}
    if options := _options(schema, "enum"):
        return next((option for option in options if _says(text, str(option))), options[0])
    kind = schema.get("type", "string")
    spoken = re.escape(name).replace("_", "[ _-]")
    said = re.search(rf"\b{spoken}\b\s*(?:is|=|:|of|number|no\.?|#)?\s*[\"'“]?([\w.@:/+-]*\w)", text, re.I)
    if kind in ("integer", "number"):
        number = re.search(r"-?\d+(?:\.\d+)?", said.group(1) if said else text) or re.search(r"-?\d+(?:\.\d+)?", text)
        value = float(number.group()) if number else 0.0
        return int(value) if kind == "integer" or value.is_integer() else value
    if kind == "boolean":
        return not re.search(r"\b(no|not|without|false)\b", text, re.I)
    if kind == "array":
        return [_argument(name, schema.get("items"), text)]
    if kind == "object":
        return fill_input(schema, text)
    return said.group(1) if said else _thing(text)


def _thing(text: str) -> str:
    """What a text is about: what it quotes, else a number or a name in it, else all of it."""
    quoted = re.search(r"[\"“]([^\"”]+)[\"”]", text)
    if quoted:
        return quoted.group(1)
    named = _NAME.search(text)
    return named.group() if named else _clip(text.strip(), 200)


class _Filler:
    """Fills a JSON schema with sentences, each used once as long as they last."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self._left = [sentence.text for sentence in sentences]
        self._text = " ".join(self._left)

    def value(self, schema: Any) -> Any:
        schema = schema if isinstance(schema, Mapping) else {}
        for choice in ("anyOf", "oneOf", "allOf"):
            if options := _options(schema, choice):
                return self.value(options[0])
        if "const" in schema:
            return schema["const"]
        if options := _options(schema, "enum"):
            return options[0]
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next(iter(kind), None)
        return self._typed(kind, schema)

    def _typed(self, kind: Any, schema: Mapping[str, Any]) -> Any:
        if kind == "object" or "properties" in schema:
            return {name: self.value(part) for name, part in _properties(schema).items()}
        if kind == "array":
            most = min(len(self._left) or 0, 4)
            return [self.value(schema.get("items")) for _ in range(most)]
        if kind in ("integer", "number"):
            number = re.search(r"-?\d+(?:\.\d+)?", self._text)
            value = float(number.group()) if number else 0.0
            return int(value) if kind == "integer" else value
        if kind == "boolean":
            return False
        if kind == "null":
            return None
        return self._left.pop(0) if self._left else ""
