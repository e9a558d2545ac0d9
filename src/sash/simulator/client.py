"""The unmodified SDK's clients, wired to a simulator in this process. The only place here that imports anthropic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from sash.simulator.clock import Clock
from sash.simulator.transport import AsyncSimulatorTransport, SimulatorTransport
from sash.simulator.wire import Handler

BASE_URL = "http://simulator.invalid"
_KEY = "simulator"


def _load_anthropic() -> Any:
    """The one place that imports the SDK (0.5 s)."""
    import anthropic  # noqa: PLC0415

    return anthropic


def _with_defaults(options: Mapping[str, Any], http_client: Any) -> dict[str, Any]:
    credentials = {} if {"api_key", "auth_token"} & set(options) else {"api_key": _KEY}
    return {"base_url": BASE_URL, "http_client": http_client, **credentials, **options}


def client_of(handler: Handler, clock: Clock, options: Mapping[str, Any]) -> Any:
    """An `anthropic.Anthropic` whose requests go to `handler`."""
    http_client = httpx2.Client(transport=SimulatorTransport(handler, clock))
    return _load_anthropic().Anthropic(**_with_defaults(options, http_client))


def async_client_of(handler: Handler, clock: Clock, options: Mapping[str, Any]) -> Any:
    """An `anthropic.AsyncAnthropic` whose requests go to `handler`."""
    http_client = httpx2.AsyncClient(transport=AsyncSimulatorTransport(handler, clock))
    return _load_anthropic().AsyncAnthropic(**_with_defaults(options, http_client))
