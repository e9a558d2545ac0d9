"""The OpenAPI 3.1 document of the API, made of the endpoints and their pydantic models, and its page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sash.serve.api.endpoints import Endpoint

REF = "#/components/schemas/{model}"
KINDS = {"name": "string", "number": "integer", "str": "string"}
DESCRIPTION = (
    "The record, and conversations to talk in. A token, where the server has any, goes into `Authorization: Bearer` or "
    "`x-api-key` and fixes the namespace. An id with a slash stands percent-encoded in a path."
)


class ErrorFacts(BaseModel):
    """What went wrong."""

    type: str
    message: str


class ErrorOut(BaseModel):
    """An error."""

    error: ErrorFacts


@cache
def document(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The document."""
    models = {model for one in endpoints for model in (one.body, one.answer) if model} | {ErrorOut}
    ordered = sorted(models, key=lambda model: model.__name__)
    refs, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=REF)
    del refs
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(plain_path(one.path), {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sash", "version": version("sash"), "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def plain_path(path: str) -> str:
    """A path as OpenAPI writes it."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _operation(one: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": one.summary,
        "operationId": f"{one.handler.__module__.rpartition('.')[2]}_{one.handler.__name__}",
        "parameters": [*_in_path(one.path), *_in_query(one.query)],
        "responses": {
            "200": {"description": _told(one.answer), "content": _content(one)},
            "default": {"description": "An error.", "content": _json(ErrorOut)},
        },
    }
    if one.body is not None:
        made["requestBody"] = {"content": _json(one.body)}
    return made


def _content(one: Endpoint) -> dict[str, Any]:
    events = {"text/event-stream": {"schema": {"type": "string", "description": "start, text, thinking, done, error"}}}
    return {**(events if one.streams else {}), **_json(one.answer)}


def _json(model: type[BaseModel] | None) -> dict[str, Any]:
    return {} if model is None else {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}


def _told(model: type[BaseModel] | None) -> str:
    return (model.__doc__ or "").strip() if model else "Done."


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": KINDS[kind]}}
        for name, kind in re.findall(r"\{(\w+):(\w+)\}", path)
    ]


def _in_query(model: type[BaseModel] | None) -> Iterable[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema()
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": facts,
         "description": facts.get("description", "")}
        for name, facts in schema["properties"].items()
    ]  # fmt: skip
