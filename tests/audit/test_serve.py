"""The page over real HTTP: who may see it, what it keeps, and that a killed server loses nothing."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from made_answers import by
from made_population import HOSTILE, frame

from negbench.auditing import answers, draw, serve, sheet
from negbench.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = frame(queries=20)
    sheet.write(tmp_path / "audit", made, draw.draw(made, 30, None, 0), 0)
    return tmp_path / "audit"


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with serve.serving(folder) as found:
        yield found


def ask(
    address: str, path: str = "", body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=10)
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request("GET" if body is None else "POST", parts.path + path, body, sent)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def say(address: str, item: int, answer: str) -> int:
    return ask(address, "answers", json.dumps({"item": item, "answer": answer}).encode())[0]


class TestAnswers:
    def test_they_are_on_disk_when_the_page_hears_of_it(self, address: str, folder: Path) -> None:
        for item, answer in ((1, "yes"), (2, "unsure"), (1, "no")):
            assert say(address, item, answer) == 200
            last = (folder / "answers.jsonl").read_text().splitlines()[-1]
            assert json.loads(last) == {"item": item, "answer": answer}
        assert answers.of_folder(folder, 36) == by({1: "no", 2: "unsure"})
        found = json.loads(ask(address, "items")[2])
        assert found["answers"] == {"1": "no", "2": "unsure"}
        assert [item["item"] for item in found["items"]] == list(range(1, 37))
        assert {key for item in found["items"] for key in item} == {"item", "query", "positives", "more", "document"}

    def test_it_goes_on_where_one_stopped(self, folder: Path) -> None:
        with serve.serving(folder) as address:
            assert say(address, 1, "yes") == 200
        with (folder / "answers.jsonl").open("a") as file:
            file.write('{"item": 2, "ans')  # what a crash leaves
        with serve.serving(folder) as address:
            assert json.loads(ask(address, "items")[2])["answers"] == {"1": "yes"}
            assert say(address, 3, "no") == 200
        assert answers.of_folder(folder, 36) == by({1: "yes", 3: "no"})
        (folder / "answers.jsonl").write_text('{"item": 5, "answer": "yes"}')  # an editor took the line end away
        with serve.serving(folder) as address:
            assert say(address, 6, "no") == 200
        assert answers.of_folder(folder, 36) == by({5: "yes", 6: "no"})

    def test_annotators_do_not_see_one_another(self, folder: Path) -> None:
        with serve.serving(folder, annotator=" ann ") as address:
            assert say(address, 1, "yes") == 200
        line = json.loads((folder / "answers.jsonl").read_text())
        assert line == {"item": 1, "answer": "yes", "annotator": "ann"}
        with serve.serving(folder, annotator="bo") as address:
            assert json.loads(ask(address, "items")[2])["answers"] == {}
            assert [say(address, item, "no") for item in (1, 2)] == [200, 200]
        with serve.serving(folder, annotator="ann") as address:
            assert json.loads(ask(address, "items")[2])["answers"] == {"1": "yes"}
        assert answers.of_folder(folder, 36) == by({1: "yes"}, "ann") | by({1: "no", 2: "no"}, "bo")

    def test_a_killed_server_loses_nothing(self, folder: Path) -> None:
        code = f"""
import sys
from pathlib import Path
from negbench.auditing import serve
with serve.serving(Path({str(folder)!r})) as address:
    print(address, flush=True)
    sys.stdin.read()
"""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:  # type: ignore[call-overload]
            address = process.stdout.readline().strip()
            assert [say(address, item, "yes") for item in (1, 2, 3)] == [200] * 3
            os.kill(process.pid, signal.SIGKILL)
        assert answers.of_folder(folder, 36) == by(dict.fromkeys((1, 2, 3), "yes"))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"no JSON",
            b"[1]",
            b'{"item": 0, "answer": "yes"}',
            b'{"item": 37, "answer": "yes"}',
            b'{"item": true, "answer": "yes"}',
            b'{"item": 1, "answer": "maybe"}',
            b'{"item": 1, "answer": ["yes"]}',
            b'{"item": 1, "answer": "yes", "more": 1}',
            b"[" * 900,
        ],
    )
    def test_anything_else_is_refused(self, address: str, folder: Path, body: bytes) -> None:
        assert ask(address, "answers", body)[0] == 400
        assert not (folder / "answers.jsonl").exists()


class TestWhoMayAsk:
    def test_nobody_without_the_token(self, address: str) -> None:
        parts = urlsplit(address)
        for path in ("/", "/items", "/answers", "/wrong/", "/wrong/items", parts.path + "../etc/passwd"):
            assert ask(f"http://{parts.netloc}{path}")[0] == 404
        assert ask(f"http://{parts.netloc}/wrong/answers", body=b'{"item": 1, "answer": "yes"}')[0] == 404
        assert len(parts.path) > 30

    def test_tokens_differ(self, folder: Path) -> None:
        found = []
        for _ in range(2):
            with serve.serving(folder) as address:
                found.append(urlsplit(address).path)
        assert found[0] != found[1]

    def test_no_page_elsewhere(self, address: str, folder: Path) -> None:
        netloc = urlsplit(address).netloc
        body = b'{"item": 1, "answer": "yes"}'
        assert ask(address, Host="evil.example")[0] == 403
        assert ask(address, Host="127.0.0.1.evil.example:80")[0] == 403
        assert ask(address, Host="")[0] == 403
        assert ask(address, "answers", body, Origin="http://evil.example")[0] == 403
        assert ask(address, "answers", body, Origin="null")[0] == 403
        assert ask(address, "answers", body, Content_Type="text/plain")[0] == 415
        assert not (folder / "answers.jsonl").exists()
        assert ask(address, "answers", body, Origin=f"http://{netloc}")[0] == 200
        assert ask(address, "items", Host="localhost:9")[0] == 200  # a forwarded port

    def test_large_bodies_are_not_read(self, address: str) -> None:
        assert ask(address, "answers", b"x", Content_Length=str(10**9))[0] == 413
        assert ask(address, "answers", b"x", Content_Length="-1")[0] == 413

    def test_it_listens_to_this_machine_alone(self, address: str) -> None:
        assert urlsplit(address).hostname == "127.0.0.1"


def raw(address: str, request: bytes) -> bytes:
    """Send bytes that need be no request; return the reply, which has a status in its text at least."""
    with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


class TestFaults:
    """Each has a proper status, leaves no traceback, and the page goes on."""

    @pytest.fixture(autouse=True)
    def _goes_on(self, address: str, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
        yield
        assert say(address, 1, "yes") == 200
        assert "Traceback" not in capfd.readouterr().err

    @pytest.mark.parametrize("host", ["[::1", "[x]", "[127.0.0.1", "127.0.0.1]"])
    def test_a_host_that_is_none(self, address: str, host: str) -> None:
        assert ask(address, Host=host)[0] == 400
        assert ask(address, "answers", b'{"item": 1, "answer": "yes"}', Host=host)[0] == 400

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"\x00\xff\x1b[31m\r\n\r\n", b"400"),
            (b"GET\r\n\r\n", b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"505"),
            (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"501"),
            (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        ],
    )
    def test_what_is_no_request(self, address: str, request_: bytes, status: bytes) -> None:
        assert status in raw(address, request_)

    def test_lengths_that_are_none(self, address: str) -> None:
        path = f"POST {urlsplit(address).path}answers HTTP/1.1\r\nHost: localhost\r\n".encode()
        assert b" 411 " in raw(address, path + b"\r\n")
        for length in (b"9" * 5000, b"-1", b"1e3", b"\xb2"):
            assert b" 413 " in raw(address, path + b"Content-Length: " + length + b"\r\n\r\n")

    def test_a_body_that_ends_early(self, address: str) -> None:
        path = f"POST {urlsplit(address).path}answers HTTP/1.1\r\nHost: localhost\r\n".encode()
        more = b"Content-Type: application/json\r\nContent-Length: 40\r\n\r\n"
        assert b" 400 " in raw(address, path + more + b'{"item": 1')

    def test_a_browser_that_goes(self, address: str) -> None:
        """It resets the connection: while it asks, and while it is answered."""
        parts = urlsplit(address)
        for request in (b"", b"GET /", f"GET {parts.path}items HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50):
            connection = socket.create_connection(("127.0.0.1", parts.port or 0), timeout=10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(request)
            connection.close()

    def test_a_full_disk_keeps_the_lines_whole(self, address: str, folder: Path) -> None:
        assert say(address, 2, "no") == 200
        file = folder / "answers.jsonl"
        before = file.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, limits[1]))  # five bytes of the line fit
        try:
            status, _, said = ask(address, "answers", b'{"item": 1, "answer": "yes"}')
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert status == 500
        assert said.startswith(b"the answer could not be written (")
        assert file.read_bytes() == before
        assert json.loads(ask(address, "items")[2])["answers"] == {"2": "no"}

    def test_a_folder_that_is_gone(self, address: str, folder: Path) -> None:
        folder.rename(folder.with_name("elsewhere"))
        status, _, said = ask(address, "answers", b'{"item": 1, "answer": "yes"}')
        assert status == 500
        assert b"No such file or directory" in said
        folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_file_of_answers_that_cannot_be_written_is_refused_at_once(folder: Path, kind: str) -> None:
    path = folder / "answers.jsonl"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with (
        pytest.raises(
            InputError, match=r"answers\.jsonl: (answers cannot be written \(it is no file\)|is a pipe \(FIFO\))"
        ),
        serve.serving(folder),
    ):
        pass


def test_the_page_is_closed_to_everything_else(address: str) -> None:
    status, headers, body = ask(address)
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    page = body.decode()
    assert HOSTILE not in page
    assert "http://" not in page
    assert "https://" not in page
    assert ask(address)[1]["Content-Security-Policy"] != policy  # a nonce is used once


def test_a_connection_that_is_open_when_the_server_ends_takes_no_answer(folder: Path) -> None:
    """A browser opens connections before it needs them; one that was served later would keep an unseen answer."""
    with serve.serving(folder) as address:
        parts = urlsplit(address)
        early = socket.create_connection(("127.0.0.1", parts.port or 0), timeout=10)
        assert ask(address)[0] == 200  # so that the early connection has been accepted, too
    with early:
        early.settimeout(10)
        try:
            body = json.dumps({"item": 1, "answer": "yes"}).encode()
            head = (
                f"POST {parts.path}answers HTTP/1.1\r\nHost: 127.0.0.1:{parts.port}\r\nContent-Length: {len(body)}\r\n"
            )
            early.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            got = early.recv(100)
        except ConnectionError:
            got = b""
    assert got == b""
    kept = folder / answers.ANSWERS
    assert not kept.exists() or not kept.read_text()
