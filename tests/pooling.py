"""A pooler that gives each transaction another session of the server, as PgBouncer may in transaction mode."""

from __future__ import annotations

import selectors
import socket
import struct
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PORT = 6543
REFUSED = (80877103, 80877104)
"""What asks for encryption."""
SESSIONS = 3
"""Sessions that a user has in a database, at least: a transaction gets the one that has waited longest."""


class Pooler:
    """Clients and the sessions behind them. `folder`: where the server's socket is."""

    def __init__(self, folder: str, port: int) -> None:
        self._server = f"{folder}/.s.PGSQL.{port}"
        self._idle: dict[bytes, deque[socket.socket]] = {}
        self._told: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._closed = False
        self.transactions = 0

    def serve(self, client: socket.socket) -> None:
        """Talk with a client until it leaves."""
        with client:
            start = _first_message(client)
            self._idle.setdefault(start, deque())
            while len(self._idle[start]) < SESSIONS and not self._closed:
                self._give_back(start, self._session(start))
            client.sendall(self._told[start])
            while asked := client.recv(65_536):
                if asked[:1] == b"X":
                    return
                if not self._passed_on(start, client, asked):
                    return

    def _passed_on(self, start: bytes, client: socket.socket, asked: bytes) -> bool:
        """Carry out one transaction; whether the client is still there. Its session ends with one that broke off."""
        whole, session = False, self._take(start)
        try:
            whole = _transaction(client, session, asked)
        finally:
            if whole:
                self._give_back(start, session)
            else:
                session.close()
        return whole

    def _take(self, start: bytes) -> socket.socket:
        with self._lock:
            self.transactions += 1
            if self._idle[start]:
                return self._idle[start].popleft()
        return self._session(start)

    def _give_back(self, start: bytes, session: socket.socket) -> None:
        with self._lock:
            if not self._closed:
                self._idle[start].append(session)
                return
        session.close()

    def _session(self, start: bytes) -> socket.socket:
        session = socket.socket(socket.AF_UNIX)
        session.connect(self._server)
        session.sendall(start)
        said = b""
        while not _is_ready(said):
            said += session.recv(65_536)
        told = b"".join(
            kind + struct.pack("!I", len(body) + 4) + (struct.pack("!II", 1, 1) if kind == b"K" else body)
            for kind, body in _messages(said)
        )
        self._told.setdefault(start, told)
        return session

    def close(self) -> None:
        """End all sessions."""
        with self._lock:
            self._closed = True
        for sessions in self._idle.values():
            for session in sessions:
                session.close()


def _first_message(client: socket.socket) -> bytes:
    """What a client begins with, as the server wants it, too."""
    while True:
        length, code = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
        if code not in REFUSED:
            return struct.pack("!II", length, code) + client.recv(length - 8, socket.MSG_WAITALL)
        client.sendall(b"N")


def _transaction(client: socket.socket, session: socket.socket, asked: bytes) -> bool:
    """Pass on what both say until the session is in no transaction; whether the client is still there."""
    session.sendall(asked)
    said = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(client, selectors.EVENT_READ)
        waiting.register(session, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                heard = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not heard or (key.fileobj is client and heard[:1] == b"X"):
                    return False
                (session if key.fileobj is client else client).sendall(heard)
                if key.fileobj is session:
                    said = (said + heard)[-6:]
                    if said == b"Z\x00\x00\x00\x05I":
                        return True


def _messages(said: bytes) -> Iterator[tuple[bytes, bytes]]:
    while said:
        length = struct.unpack("!I", said[1:5])[0]
        yield said[:1], said[5 : length + 1]
        said = said[length + 1 :]


def _is_ready(said: bytes) -> bool:
    return said.endswith(b"Z\x00\x00\x00\x05I")


@contextmanager
def pooler(folder: str, port: int = 5432) -> Iterator[tuple[str, Pooler]]:
    """The folder of a socket, at `PORT`, behind which a pooler stands."""
    with tempfile.TemporaryDirectory() as mine, socket.socket(socket.AF_UNIX) as listening:
        made = Pooler(folder, port)
        listening.bind(str(Path(mine) / f".s.PGSQL.{PORT}"))
        listening.listen(64)

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=made.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield mine, made
        listening.shutdown(socket.SHUT_RDWR)
        made.close()
