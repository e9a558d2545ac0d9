"""The simulator as a server on loopback: any Anthropic client, over a socket, in any language.

One thread per connection; server-sent events go out in chunks as they are made. A scripted timeout holds the
connection until the client hangs up or the server closes. It knows HTTP, not what the simulator does.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from sash.errors import InvalidOption
from sash.simulator.clock import Clock
from sash.simulator.wire import Answer, Break, Call, Handler, Pause

_POLL = 0.05


class Serving:
    """A running server: `url` is its address. Closes as a context manager, or with `close()`.

    Raises InvalidOption for a port that is taken, or none.
    """

    def __init__(self, handler: Handler, clock: Clock, port: int = 0) -> None:
        self._closing = threading.Event()
        try:
            self._server = _Server(("127.0.0.1", port), _requests_for(handler, clock, self._closing))
        except (OSError, OverflowError) as error:
            raise InvalidOption(
                f"cannot listen on 127.0.0.1, port {port}: {error}; choose another, or 0 for a free one",
                option="port",
                value=port,
            ) from error
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True)
        self._thread.start()

    def __enter__(self) -> str:
        return self.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, drop open connections, and wait for the threads. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error of ours; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Wake the threads that wait for idle clients."""
        with self._guard:
            for connection in self._open:
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster


def _requests_for(handler: Handler, clock: Clock, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    """The request handler class of one server."""

    class Requests(_Requests):
        pass

    Requests.handler, Requests.clock, Requests.closing = handler, clock, closing
    return Requests


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sash-simulator"
    disable_nagle_algorithm = True
    handler: Handler
    clock: Clock
    closing: threading.Event

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the simulator keeps its own log."""

    def _answer(self) -> None:
        answer = self.handler.handle(self._call())
        if not isinstance(answer, Answer):
            if answer.kind == "timeout":
                self._hold()
            self._drop()
            return
        self.clock.wait(answer.pause)
        if answer.pieces is None:
            self._send_whole(answer)
        else:
            self._send_pieces(answer)

    def _call(self) -> Call:
        target = urlsplit(self.path)
        return Call(
            method=self.command,
            path=target.path,
            query=target.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return b"".join(self._chunks())
        length = self.headers.get("content-length", "0")
        return self.rfile.read(int(length)) if length.isdigit() else b""

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            """Trailing headers are of no use here."""

    def _send_whole(self, answer: Answer) -> None:
        self._send_head(answer, "content-length", str(len(answer.body)))
        self.wfile.write(answer.body)

    def _send_pieces(self, answer: Answer) -> None:
        self._send_head(answer, "transfer-encoding", "chunked")
        for piece in answer.pieces or ():
            if isinstance(piece, Pause):
                self.clock.wait(piece.seconds)
            elif isinstance(piece, Break):
                self._drop()
                return
            else:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, answer: Answer, length_name: str, length: str) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(length_name, length)
        self.end_headers()

    def _hold(self) -> None:
        """Say nothing until the client gives up or the server closes."""
        while not self.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], _POLL)
            if readable:
                return

    def _drop(self) -> None:
        self.close_connection = True
        _shut(self.connection)
