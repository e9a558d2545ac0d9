"""Structured output: what a caller asks for, as the API takes it, and a reply read back.

Asked for as `output_config={"format": {...}}`, as the SDK's own `output_format=` (a pydantic class, or the format as a
dict). A class gives an object of it, a format plain JSON values. Schemas are made by the SDK's `transform_schema`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sash.claude.loading import _load_anthropic
from sash.errors import InvalidOption, ReplyUnparsed
from sash.model.blocks import Block, plain
from sash.model.replies import Reply

UNFINISHED = ("tool_use", "pause_turn", "refusal")
"""Stop reasons of replies that are no answer yet, or none at all: nothing is read from them."""


def format_of(output_format: Any) -> Block:
    """The `output_config.format` for a pydantic class or a format. Raises InvalidOption for anything else."""
    if isinstance(output_format, Mapping) and "type" in output_format:
        made: Block = plain(output_format)
        return made
    if not _is_model(output_format):
        raise InvalidOption(
            f"output_format is a pydantic class or {{'type': 'json_schema', 'schema': ...}}, not {output_format!r:.60}",
            option="output_format",
            value=output_format,
        )
    return {"type": "json_schema", "schema": _load_anthropic().transform_schema(output_format)}


def read(reply: Reply, output_format: Any) -> Reply:
    """The reply with what it says, parsed. Raises ReplyUnparsed, which carries the reply as it was recorded."""
    if output_format is None or reply.stop_reason in UNFINISHED:
        return reply
    parse: Callable[[str], Any] = output_format.model_validate_json if _is_model(output_format) else json.loads
    try:
        return replace(reply, parsed=parse(reply.text))
    except ValueError as error:  # JSON's and pydantic's errors both are
        cut = reply.stop_reason == "max_tokens"
        raise ReplyUnparsed(
            f"the reply is not what output_format asked for ({_first_line(error)}); it is recorded and stands in "
            f".reply. {'It was cut short: raise max_tokens and' if cut else 'Mend the schema, or'} regenerate()",
            status=200,
            kind="output_format",
            request_id=reply.request_id,
            turn=reply.turn.id if reply.turn else None,
            state=reply.turn.state if reply.turn else "answered",
            number=reply.number,
            reply=reply,
        ) from error


def _is_model(output_format: Any) -> bool:
    return isinstance(output_format, type) and hasattr(output_format, "model_validate_json")


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0]
