"""A proxy between a client and the exchange that may change what passes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_THE_CONNECTION = {"host", "connection", "proxy-connection", "content-length", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True)
class Passing:
    """A request on its way."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class Middleman:
    """Hands requests on and answers back.

    Attributes
    ----------
    alter
        Gives the request that arrives instead of one that was sent.
    seen
        The requests as they were sent.
    """

    def __init__(self) -> None:
        self.alter: Callable[[Passing], Passing] = lambda request: request
        self.seen: list[Passing] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_THE_CONNECTION}
                request = Passing(self.command, self.path, headers, body)
                outer.seen.append(request)
                status, headers, answer = outer.send(outer.alter(request))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = _pass

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def send(self, request: Passing) -> tuple[int, dict[str, str], bytes]:
        """Send a request to where it goes: status, headers and body of the answer."""
        parts = urlsplit(request.url)
        connection = HTTPConnection(parts.netloc, timeout=5)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(request.method, target, request.body or None, request.headers)
            answer = connection.getresponse()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _OF_THE_CONNECTION}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
