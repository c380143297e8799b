"""The page over real HTTP: who may see it, what it keeps, and that a killed server loses nothing."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from made_answers import by
from made_population import HOSTILE, frame

from negbench.auditing import answers, draw, serve, sheet


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
