"""A server some milliseconds away: a socket before the server's, from which all takes that long there and back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PORT = 5432


@contextmanager
def away(server: Path, folder: Path, milliseconds: float) -> Iterator[str]:
    """The folder of a socket like the one in `server`'s, from which each way there and back takes so long, at least."""
    folder.mkdir()
    name = f".s.PGSQL.{PORT}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / name))
        listening.listen(64)
        accept = threading.Thread(target=_accept, args=(listening, server / name, milliseconds / 2_000), daemon=True)
        accept.start()
        yield str(folder)
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, server: Path, seconds: float) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(str(server))
            for one, other in ((client, behind), (behind, client)):
                threading.Thread(target=_pass_on, args=(one, other, seconds), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket, seconds: float) -> None:
    with suppress(OSError):
        while said := one.recv(1 << 20):
            time.sleep(seconds)
            other.sendall(said)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
