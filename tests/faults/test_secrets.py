"""Keys and passwords are in the environment alone: never in what a run prints, writes or sends to MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server
from made_runs import grid

from negbench.tracking.address import shown

KEY, PASSWORD = "sk-very-secret-key", "pass@word-very-secret"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("HF_TOKEN", KEY)
    made = Server()
    yield made
    made.over.set()
    made.http.shutdown()
    made.http.server_close()


def everywhere(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def judged(folder: Path, encoder: Path, server: Server) -> Path:
    path = grid(folder, encoder, more=f"judge: llm(server={server.url}, key=JUDGE_KEY, retries=0)\n")
    path.write_text(path.read_text().replace("estimators: [exact]", ""))
    return path


@pytest.mark.slow
def test_a_run_keeps_them(tiny_encoder: Path, tmp_path: Path, server: Server, negbench: Callable[..., Any]) -> None:
    path = judged(tmp_path, tiny_encoder, server)
    said = negbench("run", path, "--out", "results", "--log-models", cwd=tmp_path)
    assert said.code == 0, said.err
    assert {heard["key"] for heard in server.heard} == {f"Bearer {KEY}"}
    with sqlite3.connect(tmp_path / "results/mlflow.db") as database:
        assert database.execute("SELECT count(*) FROM params").fetchone()[0] > 0
    found = everywhere(tmp_path) + said.out.encode() + said.err.encode()
    assert b"JUDGE_KEY" in found
    assert KEY.encode() not in found
    assert PASSWORD.encode() not in found


@pytest.mark.slow
def test_a_server_that_repeats_the_key_and_a_store_that_refuses(
    tiny_encoder: Path,
    tmp_path: Path,
    server: Server,
    negbench: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.behave = lambda text, times: (401, f"the key {KEY} is not known")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:9?token={KEY}")
    said = negbench("run", judged(tmp_path, tiny_encoder, server), "--out", "results", cwd=tmp_path)
    assert said.code == 1
    assert "[the key] is not known" in said.err
    assert "could not be logged" in said.out
    assert "[the key] is not known" in (tmp_path / "results/errors.log").read_text()
    found = everywhere(tmp_path) + said.out.encode() + said.err.encode()
    assert KEY.encode() not in found
    assert PASSWORD.encode() not in found


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_address_with_a_key_is_refused_and_not_repeated(
    command: str, tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    path = grid(tmp_path, tiny_encoder)
    for address in (f"https://ann:{KEY}@host/v1", f"https://host/v1?key={KEY}"):
        said = negbench(command, path, "--set", f'judge={{llm: {{server: "{address}"}}}}', cwd=tmp_path)
        assert said.code == 2
        assert KEY not in said.out + said.err
    assert {it.name for it in tmp_path.iterdir()} == {"grid.yaml"}


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        (f"http://ann:{PASSWORD}@host:80/path", "http://host:80/path"),
        (f"postgresql://ann@host/db?password={KEY}", "postgresql://host/db"),
        (f"no store at http://ann:{KEY}@host; mend it", "no store at http://host; mend it"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_them(address: str, wanted: str) -> None:
    assert shown(address) == wanted
