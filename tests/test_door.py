"""The door: what an editor can complete is what there is, and both faces of a conversation are one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any, get_type_hints

import pytest

from pages import api
from sash import AsyncConversation, Conversation, types
from sash.model.options import BETA, BODY, CALL


def methods(face: type[Any]) -> dict[str, inspect.Signature]:
    """The public methods of a class, with what they take."""
    found = inspect.getmembers(face, callable)
    return {name: inspect.signature(method) for name, method in found if not name.startswith("_")}


def annotated(door: str) -> Iterator[Any]:
    """The functions and classes of ours that a door leads to, and the public methods of these."""
    module = importlib.import_module(door)
    for value in (getattr(module, name) for name in api.names(door)):
        methods = [_function(one) for name, one in inspect.getmembers(value) if name == "__init__" or name[0] != "_"]
        found = [value, *methods] if inspect.isclass(value) else [value]
        yield from (one for one in found if isinstance(one, type | FunctionType) and one.__module__.startswith("sash"))


def _function(member: Any) -> Any:
    """What a method or a property was written as."""
    return inspect.unwrap(getattr(member, "fget", None) or getattr(member, "func", None) or member)


def test_both_faces_take_the_same() -> None:
    """Every method of `Conversation` is one of `AsyncConversation`, with the same arguments, types and defaults."""
    here, there = methods(Conversation), methods(AsyncConversation)
    assert here.keys() == there.keys()
    assert {name: str(one.replace(return_annotation=None)) for name, one in here.items()} == {
        name: str(one.replace(return_annotation=None)) for name, one in there.items()
    }


def test_a_conversation_spells_out_what_it_takes() -> None:
    """The signature of both faces is one, and its only open end are the options of a request."""
    signature = inspect.signature(Conversation)
    assert signature == inspect.signature(AsyncConversation)
    open_ends = [one for one in signature.parameters.values() if one.kind is inspect.Parameter.VAR_KEYWORD]
    assert [one.annotation for one in open_ends] == ["Unpack[RequestOptions]"]


def test_the_docstring_tells_of_every_parameter() -> None:
    """Each parameter of `Conversation` stands in the table of its docstring."""
    told = inspect.getdoc(Conversation) or ""
    missing = [name for name in inspect.signature(Conversation).parameters if f"`{name}`" not in told]
    assert missing == ["options"]


def test_the_options_of_a_request_are_those_that_are_checked() -> None:
    """What a type checker lets pass is what `check_options` takes."""
    assert set(types.RequestOptions.__annotations__) == {*BODY, *BETA, *CALL}


@pytest.mark.parametrize("name", types.__all__)
def test_types_can_be_imported(name: str) -> None:
    """Every name of `sash.types` is there for annotations."""
    assert hasattr(types, name)


@pytest.mark.parametrize("door", api.DOORS)
def test_annotations_name_what_is_there(door: str) -> None:
    """Tools that read annotations (web frameworks, documentation, notebooks) can be told those of every public name."""
    for one in annotated(door):
        get_type_hints(one)


def test_annotations_are_the_types_at_the_door() -> None:
    """What is told of an argument is the type that `sash.types` has under this name, without loading the SDK."""
    assert get_type_hints(Conversation.send)["content"] == types.Content
    assert get_type_hints(types.CallOptions)["tools"] == types.ToolList | None
