"""What models and people write, as HTML: CommonMark with tables, where HTML is text and a link leads only to the web.

Nothing is loaded from elsewhere: an image in a text is shown as the link that it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

LONGEST = 100_000
"""Characters of a text that are laid out; a longer one is shown as it came."""
SCHEMES = ("https://", "http://", "mailto:", "#")


def markdown(text: str) -> Markup:
    """A text as HTML that is safe to show."""
    if len(text) > LONGEST:
        return Markup("<pre class='plain'>{}</pre>").format(text)
    return Markup(_renderer().render(text))


@cache
def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 40})
    made.enable(["table", "strikethrough"])
    made.validateLink = _is_safe  # type: ignore[method-assign]
    made.add_render_rule("image", _image)
    made.add_render_rule("link_open", _link)
    return made


def _is_safe(url: str) -> bool:
    return url.strip().lower().startswith(SCHEMES)


def _link(renderer: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("rel", "noopener noreferrer nofollow")
    tokens[at].attrSet("target", "_blank")
    return str(renderer.renderToken(tokens, at, options, env))


def _image(renderer: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """The picture's address as a link: the page asks no other server for anything."""
    said = renderer.renderInlineAsText(tokens[at].children, options, env) or "image"
    link = Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>')
    return str(link.format(tokens[at].attrGet("src"), escape(said)))
