"""Looking at things: HTML for notebooks and files. Reads values, changes nothing."""

from sash.inspect.html import conversation_html, plan_html, request_html

__all__ = ["conversation_html", "plan_html", "request_html"]
