"""The one loader of the SDK: importing it takes most of a second, so `import sash` does without."""

from __future__ import annotations

from typing import Any


def _load_anthropic() -> Any:
    """The anthropic package, imported at the first request."""
    import anthropic  # noqa: PLC0415

    return anthropic


def _load_parameters() -> Any:
    """The types of the parameters of a request, betas included, as the SDK has them."""
    from anthropic.types.beta import message_create_params  # noqa: PLC0415

    return message_create_params.MessageCreateParamsNonStreaming


def _load_blocks() -> Any:
    """The types of the blocks that a message may hold, betas included, as the SDK has them."""
    from anthropic.types.beta import beta_content_block_param  # noqa: PLC0415

    return beta_content_block_param.BetaContentBlockParam


def _load_httpx2() -> Any:
    """The SDK's HTTP library, for its errors in the middle of a stream."""
    import httpx2  # noqa: PLC0415

    return httpx2


def _load_tool_error() -> Any:
    """What a function tool of the SDK raises to say in its own words what went wrong."""
    from anthropic.lib.tools import ToolError  # noqa: PLC0415

    return ToolError


def _load_function_makers() -> Any:
    """The SDK's function tools and what makes them."""
    from anthropic.lib import tools  # noqa: PLC0415

    return tools


def _load_metrics() -> Any:
    """OpenTelemetry's metrics; the SDK depends on the package."""
    from opentelemetry import metrics  # noqa: PLC0415

    return metrics


def _load_trace() -> Any:
    """OpenTelemetry's traces; the SDK depends on the package."""
    from opentelemetry import trace  # noqa: PLC0415

    return trace
