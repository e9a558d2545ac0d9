"""Large pictures that tools give: made smaller, so that an agent that looks at many is never blind."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from sash import Conversation
from sash.conversation import pictures
from sash.model.images import pixels
from sash.simulator import Simulator

Talk = Callable[..., Conversation]
SHOTS = 23


def picture(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> dict[str, Any]:
    """An image block."""
    made = io.BytesIO()
    Image.new(mode, (width, height)).save(made, kind)
    data = b64encode(made.getvalue()).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind.lower()}", "data": data}}


def shown(body: Any) -> list[Any]:
    """The sizes of the pictures in a body's tool results; what stands in the place of one is text."""
    blocks = [block for message in body["messages"] if message["role"] == "user" for block in message["content"]]
    contents = [block["content"] for block in blocks if block["type"] == "tool_result"]
    return [pixels(part["source"]) for content in contents if isinstance(content, list) for part in content]


@pytest.mark.parametrize(("by", "kind"), [("run", "PNG"), ("submit", "JPEG")])
def test_an_agent_that_looks_at_many_large_pictures_sees_them_all(
    talk: Talk, sim: Simulator, kind: str, by: str
) -> None:
    """More than 20 pictures of more than 2,000 pixels a side: none is refused, all keep their shape."""
    left, shot = iter(range(SHOTS)), picture(2_500, 50, kind)
    call = [{"type": "tool_use", "name": "shot", "input": {}}]
    sim.script(lambda _: "Done." if next(left, None) is None else call)
    chat = talk(budget=190_000, model="claude-sonnet-5")

    def take() -> Any:
        """Take a picture of the screen."""
        return [shot]

    take.__name__ = "shot"
    if by == "run":
        chat.run("Look.", tools=[take], max_steps=SHOTS + 2)
    else:
        reply = chat.send("Look.", tools=[{"name": "shot", "description": "s", "input_schema": {"type": "object"}}])
        while reply.tool_calls:
            reply = chat.submit({reply.tool_calls[0]["id"]: [shot]})
    assert shown(sim.messages[-1].body) == [(2_000, 40)] * SHOTS
    assert {attempt.status for attempt in sim.messages} == {200}


@pytest.mark.parametrize(
    "part",
    [
        picture(2_000, 2_000),
        picture(2_400, 10, "GIF"),
        {"type": "text", "text": "no picture"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo"}},
    ],
    ids=["small", "gif", "text", "address", "damaged"],
)
def test_what_is_small_or_unreadable_stays(part: dict[str, Any]) -> None:
    """To the byte: others judge it."""
    result = {"type": "tool_result", "tool_use_id": "a", "content": [part]}
    assert pictures.with_smaller_pictures(result) == result


def test_without_the_library_pictures_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Pillow is not installed nothing changes; where it is, pictures of few colours are scaled, too."""
    content = [picture(3_000, 30, mode="P"), picture(3_000, 30, "WEBP")]
    result = {"type": "tool_result", "tool_use_id": "a", "content": content}
    for part in pictures.with_smaller_pictures(result)["content"]:
        assert Image.open(io.BytesIO(b64decode(part["source"]["data"]))).size == (2_000, 20)
    monkeypatch.setattr(pictures, "_load_pillow", lambda: None)
    assert pictures.with_smaller_pictures(result) == result
