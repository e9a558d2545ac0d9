"""A relay to the real API that records: each call goes on with its caller's own key, each answer back as it comes.

What came whole is kept in a cassette; a stream that broke off, or that nobody read to its end, is not. Where the API
cannot be reached the caller gets a 502 that says so, and nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from sash.simulator import wire
from sash.simulator.cassettes import Cassette
from sash.simulator.wire import Answer, Break, Call, Piece

REAL_API = "https://api.anthropic.com"
_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host",
     "content-length", "accept-encoding", "content-encoding"}
)  # fmt: skip
"""Headers of one connection alone (RFC 9110, 7.6.1), and those that this one sets itself."""
TIMEOUT = httpx2.Timeout(600, connect=10)


class Relay:
    """A `Handler` that asks the API at `url`. Close it when the server is closed."""

    def __init__(self, cassette: Cassette, url: str = REAL_API) -> None:
        self.cassette = cassette
        self._http = httpx2.Client(base_url=url, timeout=TIMEOUT)
        self._url = url

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def handle(self, call: Call) -> Answer:
        """Pass one call on. Safe to call from several threads."""
        headers = _passed(call.headers) | {"accept-encoding": "identity"}
        target = call.path + (f"?{call.query}" if call.query else "")
        try:
            request = self._http.build_request(call.method, target, headers=headers, content=call.body)
            response = self._http.send(request, stream=True)
            if "text/event-stream" in response.headers.get("content-type", ""):
                pieces = self._streamed(call, response)
                return Answer(status=response.status_code, headers=_passed(response.headers), pieces=pieces)
            body = response.read()
            response.close()
        except httpx2.HTTPError as error:
            return self._unreachable(error)
        found = _passed(response.headers)
        self.cassette.add(call, response.status_code, found, body)
        return Answer(status=response.status_code, headers=found, body=body)

    def _streamed(self, call: Call, response: Any) -> Iterator[Piece]:
        came: list[bytes] = []
        try:
            for piece in response.iter_bytes():
                came.append(piece)
                yield piece
        except httpx2.HTTPError:
            yield Break()
            return
        finally:
            response.close()
        self.cassette.add(call, response.status_code, _passed(response.headers), b"".join(came))

    def _unreachable(self, error: Exception) -> Answer:
        said = f"the API at {self._url} cannot be reached: {error}"
        body = wire.error_body(said, status=502, request_id="req_unsent")
        return Answer(status=502, headers={"content-type": "application/json"}, body=wire.dumps(body))


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in _HOP}
