"""`sash serve`: the record on a page, to read, search and go on with."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import click
from click.core import ParameterSource

from sash.cli.common import console, namespace, paced_simulator, window_options
from sash.cli.database import NEW_DATABASE, open_database, shown
from sash.errors import InvalidOption, MissingExtra
from sash.model.cards import card
from sash.planning.situation import Strategy
from sash.types import MemoryMode


@click.command(short_help="The record in a browser, a JSON API, a gateway")
@click.argument("database", default="chats.db", type=NEW_DATABASE)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; others need a token.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8642, show_default=True, help="The port.")
@click.option("--token", envvar="SASH_SERVE_TOKEN", help="What clients must know (better: SASH_SERVE_TOKEN).")
@window_options()
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help="A TOML file: limits, ceilings, breaker, keys, memo, fallback, tokens.",
)
@click.option("--simulator", is_flag=True, help="Talk to the built-in simulator: no key, no cost.")
def serve(
    database: str,
    host: str,
    port: int,
    token: str | None,
    model: str | None,
    memory: MemoryMode,
    budget: int | None,
    keep: int | None,
    strategy: Strategy | None,
    config: str | None,
    simulator: bool,
) -> None:
    """Show DATABASE (default: chats.db) in a browser: read, search, see what was sent and why, talk."""
    if model:
        card(model)  # a misspelt one is no reason to make a file
    server = _load_server()
    told = server.read_config(config) if config else {"options": {}, "tokens": ()}
    own = () if token is None else (server.AccessToken(token=token, namespace=namespace()),)
    changed = {
        **told,
        **_typed(model=model, memory=memory, budget=budget),
        "options": {"meter": True, **told["options"], **_typed(keep=keep, strategy=strategy)},
        "tokens": (*own, *told["tokens"]),
    }
    settings = server.ServeSettings(host=host, port=port, namespace=namespace(), **changed)
    _check_free(host, port)
    with closing(open_database(database)) as store:

        def started(url: str) -> None:
            console().print(f"{shown(database)} at {url} (Ctrl-C ends it)", soft_wrap=True)

        server.run(settings, store, _simulator() if simulator else None, started)


def _typed(**given: Any) -> dict[str, Any]:
    """What was said on the command line: it goes before a file."""
    asked = click.get_current_context().get_parameter_source
    return {name: value for name, value in given.items() if asked(name) is not ParameterSource.DEFAULT}


def _check_free(host: str, port: int) -> None:
    """Raise InvalidOption for an address that cannot be listened on."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        raise InvalidOption(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another: --port",
            option="port",
            value=port,
        ) from error


def _simulator() -> Any:
    """What makes its client: the SDK is loaded when somebody talks."""
    return paced_simulator().async_client


def _load_server() -> Any:
    try:
        from sash.serve import server  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            "sash serve needs starlette and uvicorn: pip install 'sash[serve]'", extra="serve"
        ) from error
    return server
