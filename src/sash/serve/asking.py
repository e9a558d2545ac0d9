"""What a request asks, read against pydantic models: queries, forms, JSON bodies, cursors of lists."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sash.serve.addresses import MOST_DIGITS
from sash.stores.port import ConversationInfo

M = TypeVar("M", bound=BaseModel)


class Parameters(BaseModel):
    """What may be asked, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class ListQuery(Parameters):
    """Which conversations are asked for."""

    model_config = ConfigDict(extra="ignore")

    user: str | None = Field(None, description="whose they are")
    title: str | None = Field(None, description="a part of id or title")
    model: str | None = Field(None, description="the model in force")
    tag: str | None = Field(None, description="one of the conversation's tags")
    dollars: float | None = Field(None, ge=0, description="what it cost at least")
    limit: int = Field(50, ge=1, le=200)
    before: str | None = Field(None, description="`next` of the page before")

    @property
    def filters(self) -> dict[str, Any]:
        """What narrows the list, as the store takes it."""
        return self.model_dump(include={"user", "title", "model", "tag", "dollars"}, exclude_none=True)


def query_of(request: Request, model: type[M]) -> M:
    """The query of an address, where an empty field is none. Raises pydantic's ValidationError."""
    return model.model_validate({name: value for name, value in request.query_params.items() if value != ""})


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form. Raises HTTPException 415 for another kind of body."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415, "a form is sent as application/x-www-form-urlencoded")
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def number_in(form: Mapping[str, str], name: str) -> int:
    """The whole number in a field of a form. Raises HTTPException 400."""
    given = form.get(name, "")
    if not (given.isascii() and given.isdecimal()) or len(given) > MOST_DIGITS:
        raise HTTPException(400, f"{name}: a number belongs there")
    return int(given)


def cursor_of(info: ConversationInfo) -> str:
    """Where a list goes on behind a conversation."""
    return base64.urlsafe_b64encode(json.dumps([info.updated_at, info.id]).encode()).decode()


def conversation_at(cursor: str | None) -> ConversationInfo | None:
    """The end of the page before, as the store wants it. Raises HTTPException 400."""
    if not cursor:
        return None
    try:
        at, id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return ConversationInfo(
            id=str(id), namespace="", title=None, created_at=0.0, updated_at=float(at), turns=0, requests=0, dollars=0.0
        )
    except (ValueError, TypeError) as error:
        raise HTTPException(400, "before: not where a page of this list ends") from error


def address(path: str, /, **query: Any) -> str:
    """A path with those of these that are something."""
    told = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"{path}?{told}" if told else path
