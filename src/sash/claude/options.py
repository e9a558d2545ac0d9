"""Request options and content blocks, judged by the types of the installed SDK: before anything is sent, or opened.

What the API would refuse for a misspelt key, a value of the wrong type or a literal that it does not know is an
InvalidOption or InvalidContent that names it. With betas, keys and literals that the SDK does not know pass: betas
add some without notice ("Versioning"). Which values are legal together is the business of `sash.planning.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NotRequired, Required, get_args, get_origin, get_type_hints

from sash.claude.loading import _load_anthropic, _load_blocks, _load_parameters
from sash.errors import InvalidContent, InvalidOption
from sash.model.blocks import Block
from sash.model.fitting import Misfit, misfit, nearest
from sash.model.options import BETA, BODY

_OF_CALLS: Mapping[str, Any] = {
    "betas": Sequence[str],
    "extra_headers": Mapping[str, Any],
    "extra_query": Mapping[str, Any],
    "extra_body": Mapping[str, Any],
}


def check_values(options: Mapping[str, Any]) -> None:
    """Raise InvalidOption for the first value that its type does not allow. Names are checked already."""
    for name, value in options.items():
        wrong = _wrong(name, value)
        if wrong is not None and not (wrong.newer and options.get("betas")):
            raise _refused(name, wrong)


def check_blocks(blocks: Sequence[Block], *, betas: bool = False) -> None:
    """Raise InvalidContent for the first block that the API would not take. Blocks that are text alone are fine."""
    for index, block in enumerate(blocks):
        wrong = None if block.keys() == {"type", "text"} and block["type"] == "text" else _wrong_block(block)
        if wrong is not None and not (wrong.newer and betas):
            place = ".".join(map(str, (index, *wrong.path)))
            raise InvalidContent(
                f"content.{place}={wrong.value!r:.60}: {wrong.remedy}. Nothing was sent", problem="content-block"
            )


def _wrong_block(block: Block) -> Misfit | None:
    kind = str(block["type"])
    if kind in _of_blocks():
        return misfit(_of_blocks()[kind], block)
    said = f"there is no such block; {_REMEDIES.get(kind) or nearest(kind, _of_blocks())}"
    return Misfit(path=("type",), value=kind, remark=said, newer=True)


_REMEDIES = {
    "image_url": "Claude takes {'type': 'image', 'source': {'type': 'url', 'url': ...}}, or a Path",
    "input_image": "Claude takes {'type': 'image', 'source': {'type': 'url', 'url': ...}}, or a Path",
    "input_text": "Claude takes {'type': 'text', 'text': ...}",
    "output_text": "Claude takes {'type': 'text', 'text': ...}",
    "file": "Claude takes {'type': 'document', 'source': {...}}, or a Path",
    "input_file": "Claude takes {'type': 'document', 'source': {...}}, or a Path",
}
"""What to say instead of the blocks that OpenAI's API takes."""


@cache
def _of_blocks() -> Mapping[str, Any]:
    """The type of each kind of block that a message may hold, betas included."""
    hints = [hint for hint in get_args(_load_blocks()) if hasattr(hint, "__required_keys__")]
    return {kind: hint for hint in hints for kind in get_args(_literal(get_type_hints(hint)["type"]))}


def _literal(hint: Any) -> Any:
    """A hint without what says that the key must be there."""
    return _literal(get_args(hint)[0]) if get_origin(hint) in (Required, NotRequired) else hint


def _wrong(name: str, value: Any) -> Misfit | None:
    if name == "timeout":
        return _wrong_timeout(value)
    if name == "extra_headers" and isinstance(value, Mapping):
        given = {key: one for key, one in value.items() if not isinstance(one, _load_anthropic().Omit)}
        return misfit(Mapping[str, str], given)
    return misfit(_OF_CALLS[name] if name in _OF_CALLS else _of_body()[name], value)


def _wrong_timeout(value: Any) -> Misfit | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if (0 < value < float("inf")) if number else isinstance(value, _load_anthropic().Timeout):
        return None
    return Misfit(path=(), value=value, kinds=("seconds above 0", "an anthropic.Timeout"))


@cache
def _of_body() -> Mapping[str, Any]:
    """The type of each option that goes into the body, betas included."""
    hints = get_type_hints(_load_parameters())
    return {name: hints[name] for name in (*BODY, *BETA)}


def _refused(name: str, wrong: Misfit) -> InvalidOption:
    place = ".".join(map(str, (name, *wrong.path)))
    way = f" (what the installed SDK does not know goes in extra_body={{{name!r}: ...}})" if wrong.newer else ""
    return InvalidOption(f"{place}={wrong.value!r:.60}: {wrong.remedy}{way}", option=name, value=wrong.value)
