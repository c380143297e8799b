"""Labelling page, served to this machine only: shows one item at a time and saves each answer immediately."""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from negbench import plain_values
from negbench.auditing import answers, sheet
from negbench.errors import InputError

_LARGEST = 1_000
"""Largest size of an answer in bytes; the page sends about forty."""
_LOCAL = ("127.0.0.1", "localhost")
_SAID = ("yes", "no", "unsure")


@contextmanager
def serving(folder: Path, port: int = 0, annotator: str = "") -> Iterator[str]:
    """Serve the sheet in ``folder`` while the block runs; yield the page's address, which holds a random token.

    Requests without the token are refused. Answers are appended to ``answers.jsonl`` in the folder, one per line, and
    are on disk before the page is told that they are saved. They carry the name of ``annotator``, if given, who sees
    only their own answers. Raises InputError for a damaged sheet or damaged answers, and where none can be written.
    """
    items = sheet.texts(folder)
    token = secrets.token_urlsafe(24)
    kept = _Kept(folder, len(items), answers.named(annotator))
    server = _Server((_LOCAL[0], port), _handler(token, items, kept))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{_LOCAL[0]}:{server.server_address[1]}/{token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """A server that ends with its connections: a browser opens some before it has anything to ask."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for request in tuple(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone; of anything else as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Kept:
    """An annotator's answers so far, and the file that they are appended to."""

    def __init__(self, folder: Path, items: int, annotator: str) -> None:
        given = answers.of_folder(folder, items)
        self.found: dict[int, str] = {item: answer for (item, who), answer in given.items() if who == annotator}
        self.items = items
        self._signed = {"annotator": annotator} if annotator else {}
        self._path = folder / answers.ANSWERS
        self._lock = threading.Lock()
        try:
            self._complete()
        except OSError as error:
            raise InputError(
                f"{self._path}: answers cannot be written ({error.strerror}); make it writable, or copy the folder"
            ) from error

    def _complete(self) -> None:
        """End the last line, or take away what is left of it: the next one must not be glued to it."""
        there = self._path.exists()
        if there and not self._path.is_file():
            raise OSError(errno.EINVAL, "it is no file")
        with self._path.open("a+b") as file:
            file.seek(0)
            raw = file.read()
            complete = answers.whole_lines(raw)
            file.truncate(min(len(raw), len(complete)))
            file.write(complete[len(raw) :])
        if not there:
            self._path.unlink()

    def add(self, item: int, answer: str) -> None:
        """Keep an answer; OSError where it cannot be written, and then nothing of it is."""
        line = (json.dumps({"item": item, "answer": answer, **self._signed}) + "\n").encode()
        with self._lock, self._path.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(before)
                raise
            self.found[item] = answer


def _handler(token: str, items: list[dict[str, Any]], kept: _Kept) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Serve three addresses below the token: the page, the items with their answers, and ``answers`` for posts."""

        server_version, sys_version = "negbench", ""
        timeout = 30

        def do_GET(self) -> None:
            if not self._allowed():
                return
            if self.path == f"/{token}/":
                nonce = secrets.token_urlsafe(16)
                self._send(200, "text/html", _page(nonce).encode(), nonce)
            elif self.path == f"/{token}/items":
                data = {"items": items, "answers": kept.found}
                self._send(200, "application/json", json.dumps(data).encode())
            else:
                self._refuse(404, "no such page; open the address that negbench printed")

        def do_POST(self) -> None:
            if not self._allowed():
                return
            if self.path != f"/{token}/answers":
                self._refuse(404, "no such page; open the address that negbench printed")
                return
            length = self.headers.get("Content-Length")
            if length is None:
                self._refuse(411, "expected the length of the answer")
                return
            if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > _LARGEST:
                self._refuse(413, f"expected an answer of at most {_LARGEST} bytes")
                return
            if self.headers.get_content_type() != "application/json":
                self._refuse(415, "expected JSON")
                return
            answer = _checked(self.rfile.read(int(length)), kept.items)
            if answer is None:
                self._refuse(400, 'expected {"item": 1, "answer": "yes"}, or no, or unsure')
                return
            try:
                kept.add(*answer)
            except OSError as error:
                self._refuse(500, f"the answer could not be written ({error.strerror})")
                return
            self._send(200, "application/json", b"{}")

        def _allowed(self) -> bool:
            """Refuse other host names (DNS rebinding) and posts from other origins (CSRF)."""
            host = self.headers.get("Host", "")
            origin = self.headers.get("Origin")
            try:
                name = urlsplit(f"//{host}").hostname
            except ValueError:
                self._refuse(400, "not a Host header; open the address that negbench printed")
                return False
            if name in _LOCAL and origin in (None, f"http://{host}"):
                return True
            self._refuse(403, "refused; open the address that negbench printed")
            return False

        def _refuse(self, code: int, why: str) -> None:
            self.close_connection = True  # the request body is not read
            self._send(code, "text/plain", f"{why}\n".encode())

        def _send(self, code: int, kind: str, body: bytes, nonce: str = "") -> None:
            inline = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; " if nonce else ""
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; {inline}base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: log lines would contain the token."""

    return Handler


def _checked(body: bytes, items: int) -> tuple[int, str] | None:
    try:
        data = plain_values.json_value(body.decode())
    except ValueError:
        return None
    if not isinstance(data, dict) or set(data) != {"item", "answer"}:
        return None
    item, answer = data["item"], data["answer"]
    if type(item) is not int or not 1 <= item <= items or answer not in _SAID:
        return None
    return item, answer


def _page(nonce: str) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = files("negbench.auditing").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(nonce=nonce)
