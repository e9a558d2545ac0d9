"""Templates and how values look in them: dollars, tokens, times. One stylesheet for pages, notebooks and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sash.inspect.markdown import markdown
from sash.inspect.window import told_sources
from sash.model.values import counted
from sash.planning.explain import sentence

BIDI = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"))
"""Signs that turn the direction of what follows: names are shown without them."""


def templates(*packages: str) -> Environment:
    """The templates of these packages and the shared ones; everything is escaped, a missing value is an error."""
    loaders = [PackageLoader(package) for package in (*packages, "sash.inspect")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        dollars=dollars, tokens=tokens, moment=moment, iso=iso, percent=percent, counted=counted, markdown=markdown,
        name=name, marked=marked, seconds=seconds, tags=tags, sources=told_sources, sentence=sentence,
    )  # fmt: skip
    return made


@cache
def stylesheet() -> str:
    """The one stylesheet."""
    return (files("sash.inspect") / "static" / "sash.css").read_text("utf-8")


def dollars(amount: float | None, unpriced: int = 0) -> str:
    """Dollars with the digits that tell something; what has no known price is said."""
    if amount is None or (unpriced and not amount):
        return "unknown"
    digits = 2 if amount >= 10 or amount == 0 else 4 if amount >= 0.01 else 6
    return f"${amount:,.{digits}f}{'+' if unpriced else ''}"


def tokens(number: float | None) -> str:
    """A number of tokens, short."""
    if number is None:
        return "–"
    if abs(number) < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1_000:,.1f}k" if abs(number) < 1_000_000 else f"{number / 1_000_000:,.2f}M"


def moment(at: float) -> str:
    """A unix time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y, %H:%M")


def iso(at: float) -> str:
    """A unix time as machines read it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def percent(share: float | None) -> str:
    """A share from 0 to 1."""
    return "–" if share is None else f"{share:.0%}"


def seconds(duration: float | None) -> str:
    """How long something took."""
    return "–" if duration is None else f"{duration:,.1f} s"


def pretty(value: Any) -> str:
    """A JSON value, laid out."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def name(text: str | None, most: int = 80) -> str:
    """A name or a title in one line: without control signs and those that turn the direction of the rest."""
    flat = " ".join("".join(sign for sign in (text or "").translate(BIDI) if sign.isprintable()).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def tags(metadata: Mapping[str, Any]) -> list[str]:
    """The tags among a conversation's metadata."""
    found = metadata.get("tags")
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def marked(snippet: str) -> Markup:
    """A search result's words, those that were found marked."""
    made = Markup("")
    for at, part in enumerate(snippet.split("[")):
        found, closes, rest = part.partition("]")
        made += Markup("<mark>{}</mark>{}").format(found, rest) if at and closes else ("[" if at else "") + part
    return made
