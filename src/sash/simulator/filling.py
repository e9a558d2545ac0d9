"""Values for a JSON schema, as the simulated Claude fills them: inputs of tools from one text, replies from a prompt.

What is plain is found: `name: value` or `name is value`, a number beside its name ("3 guests"), an email address, a
link, a date or a time where the schema asks for one, an option of an enum that is mentioned. Else a reply has
sentences, each used once; what nothing says is null where that may be, and empty otherwise. Nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sash.simulator.reading import clip
from sash.simulator.summarising import NAME

_NUMBER = r"-?\d{1,300}(?:\.\d+)?"
"""With no more digits than a float holds."""
_VALUE = r"""(?:"([^"]+)"|“([^”]+)”|'([^']+)'|([\w.@:/+-]*\w))"""
"""What is said of a name: all that stands in quotation marks, or a word."""
_CALLED = r"(?-i:([A-Z][\w'-]+(?: [A-Z][\w'-]+)+))"
"""Several words with capitals: a name of a person or a place."""
_FORMS = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "url": r"https?://[^\s<>\"')]+",
    "date": r"\b\d{4}-\d\d-\d\d\b",
    "time": r"\b\d{1,2}:\d\d(?::\d\d)?\b",
    "uuid": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
}
"""What can be told by its form, by the word for it in a field's name or `format`."""
_SAME = {"uri": "url", "link": "url"}
DEEPEST = 4
"""Objects and lists within each other that are filled."""
MOST = 4
"""Entries of a list that is filled with sentences."""


def fill_input(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A tool's input from a text: what is said of each required name, else the first fitting thing."""
    properties = _properties(schema)
    required = schema.get("required")
    required = required if isinstance(required, list) else list(properties)
    return {name: _argument(name, kind, text) for name, kind in properties.items() if name in required}


def _argument(name: str, schema: Any, text: str) -> Any:
    schema = schema if isinstance(schema, Mapping) else {}
    if options := _options(schema, "enum"):
        return _mentioned(options, text, options[0])
    kind = schema.get("type", "string")
    told = _said_of(name, text)
    if kind in ("integer", "number"):
        number = re.search(_NUMBER, told or text) or re.search(_NUMBER, text)
        return _as_number(number[0] if number else "0", kind)
    if kind == "boolean":
        return not re.search(r"\b(no|not|without|false)\b", text, re.I)
    if kind == "array":
        return [_argument(name, schema.get("items"), text)]
    if kind == "object":
        return fill_input(schema, text)
    return told or _thing(text)


def _thing(text: str) -> str:
    """What a text is about: what it quotes, else a number or a name in it, else all of it."""
    quoted = re.search(r"[\"“]([^\"”]+)[\"”]", text)
    if quoted:
        return quoted.group(1)
    named = NAME.search(text)
    return named.group() if named else clip(text.strip(), 200)


class Filler:
    """Fills the schema of a reply. `texts`: where values are looked for, in order; `sentences`: what else is said."""

    def __init__(self, root: Mapping[str, Any], texts: Sequence[str], sentences: Sequence[str]) -> None:
        self._root, self._texts, self._left = root, [text for text in texts if text], list(sentences)
        self._depth = 0

    def fill(self) -> Any:
        """The value of the whole schema."""
        return self._value("", self._root, self._texts)

    def _value(self, name: str, schema: Any, texts: Sequence[str]) -> Any:
        schema = self._resolved(schema)
        for choice in ("anyOf", "oneOf", "allOf"):
            if options := _options(schema, choice):
                return self._one_of(name, options, texts)
        if "const" in schema:
            return schema["const"]
        if options := _options(schema, "enum"):
            return next((one for text in texts if (one := _mentioned(options, text, None)) is not None), options[0])
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._one_of(name, [{**schema, "type": one} for one in kind], texts)
        return self._typed(name, kind, schema, texts)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """The schema that a reference stands for, in definitions of the same schema."""
        seen: set[str] = set()
        while isinstance(schema, Mapping) and isinstance(place := schema.get("$ref"), str) and place not in seen:
            seen.add(place)
            schema = self._root
            for part in place.removeprefix("#").strip("/").split("/") if place != "#" else ():
                schema = schema.get(part) if isinstance(schema, Mapping) else None
        return schema if isinstance(schema, Mapping) else {}

    def _one_of(self, name: str, options: Sequence[Any], texts: Sequence[str]) -> Any:
        """The first kind but null; null where it may be and nothing is said."""
        kinds = [self._resolved(option) for option in options]
        real = next((kind for kind in kinds if kind.get("type") != "null"), None)
        if real is None:
            return None
        if len(kinds) > 1 and real is not kinds[-1] and kinds[-1].get("type") == "null" and _is_plain(real):
            return _found(name, real, texts)
        return self._value(name, real, texts)

    def _typed(self, name: str, kind: Any, schema: Mapping[str, Any], texts: Sequence[str]) -> Any:
        if kind == "object" or "properties" in schema or kind == "array":
            return self._within(name, schema, texts)
        if kind == "null":
            return None
        found = _found(name, {**schema, "type": kind}, texts)
        if found is not None:
            return found
        if kind in ("integer", "number", "boolean"):
            return {"integer": 0, "number": 0.0, "boolean": False}[kind]
        return self._left.pop(0) if self._left else ""

    def _within(self, name: str, schema: Mapping[str, Any], texts: Sequence[str]) -> Any:
        """An object or a list; a schema that holds itself ends somewhere."""
        self._depth += 1
        deep = self._depth > DEEPEST
        if schema.get("type") == "array":
            made: Any = [self._value(name, schema.get("items"), [text]) for text in self._left[: 0 if deep else MOST]]
        else:
            parts = {} if deep else _properties(schema)
            made = {part: self._value(part, shape, texts) for part, shape in parts.items()}
        self._depth -= 1
        return made


def _is_plain(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") in ("string", "integer", "number", "boolean") and "enum" not in schema


def _found(name: str, schema: Mapping[str, Any], texts: Sequence[str]) -> Any:
    """What a text says of a name, in the first that says anything; None where none does."""
    return next((value for text in texts if (value := _plain(name, schema, text)) is not None), None)


def _plain(name: str, schema: Mapping[str, Any], text: str) -> Any:
    kind = schema.get("type")
    if kind in ("integer", "number"):
        number = _number_of(name, text)
        return None if number is None else _as_number(number, kind)
    if kind == "boolean":
        return _truth_of(name, text)
    form = _form_of(name, schema)
    if form is not None:
        match = re.search(form, text, re.I)
        return match[0] if match else None
    return _said_of(name, text) or None


def _form_of(name: str, schema: Mapping[str, Any]) -> str | None:
    words = [str(schema.get("format") or "").lower(), *_words(name)]
    named = [_SAME.get(word, word) for word in words]
    return next((_FORMS[word] for word in named if word in _FORMS), None)


def _number_of(name: str, text: str) -> str | None:
    """The number that is said of a name, or counts what it names."""
    if not name:
        match = re.search(_NUMBER, text)
        return match[0] if match else None
    told = re.search(_NUMBER, _said_of(name, text))
    if told:
        return told[0]
    counted = re.search(rf"({_NUMBER})\s+{_spoken(name)}\b", text, re.I)
    return counted[1] if counted else None


def _truth_of(name: str, text: str) -> bool | None:
    """Whether a text says that what a name says is so."""
    if not name or not (
        said := re.search(rf"(?:\b(\w+)\s+)?\b{_spoken(name)}\b(?:\s*(?:is|=|:)\s*(\w+))?", text, re.I)
    ):
        return None
    return not {str(word).lower() for word in said.groups()} & {"no", "not", "without", "false", "never"}


def _said_of(name: str, text: str) -> str:
    """What stands behind a name in a text; "" where it is not said."""
    if not name:
        return ""
    joined = r"\s*(?:is called|is|was|=|:|of|number|no\.?|#)?\s*"
    called = re.search(rf"\b{_spoken(name)}\b{joined}{_CALLED}", text, re.I)
    if called:
        return called[1]
    found = re.search(rf"\b{_spoken(name)}\b{joined}{_VALUE}", text, re.I)
    return next(filter(None, found.groups())) if found else ""


def _spoken(name: str) -> str:
    """A name as somebody would say it: `orderNumber` and `order_number` as "order number"."""
    return "[ _-]".join(map(re.escape, _words(name)))


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[^\W_A-Z]+|[A-Z]+(?![a-z])|\d+", name)]


def _as_number(text: str, kind: Any) -> int | float:
    whole, _, part = text.partition(".")
    return int(whole) if kind == "integer" or not part.strip("0") else float(text)


def _mentioned(options: Sequence[Any], text: str, usual: Any) -> Any:
    return next((option for option in options if says(text, str(option))), usual)


def says(text: str, words: str) -> bool:
    """Whether the text has these words as words; a blank stands for `_` and `-` too."""
    spoken = re.escape(words).replace(r"\ ", "[ _-]")
    return re.search(rf"(?<![\w-]){spoken}(?![\w-])", text, re.I) is not None


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _options(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return found if isinstance(found, list) else []
