"""Square brackets and colons in prompts, names and labels are shown as they are."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from case import grid
from places import SOCKS

import negbench
from negbench import terminal
from negbench.commands.running import progress_bar
from negbench.runners.schedule import Progress, Standing

TEXTS = ("[INST] query: [/INST]", "[bold]x[/bold]", "filters=[margin]", ":warning:", "[/]", "[link=a]b", "a \\[x]")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name, content in SOCKS.items():
        assert isinstance(content, str)
        path = tmp_path / "shared" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "shared/weights").mkdir()
    (tmp_path / "shared/weights/model.safetensors").write_bytes(b"weights")
    (tmp_path / "shared/weights/config.json").write_text("{}")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_a_grid_shows_filters_and_prompts(here: Path) -> None:
    methods = "['bm25(filters=[margin(margin=0.2)])', {bm25: {depth: 50}, name: 'mine [INST]'}]"
    encoder = '{model: ../shared/weights, query_prompt: "[INST] :warning: "}'
    (here / "grid.yaml").write_text(grid(methods=methods, encoder=encoder))
    shown = "".join(str(negbench.load_grid(here / "grid.yaml")).replace("│", " ").split())
    for text in ("filters=[margin(margin=0.2)]", "mine[INST]", "[INST]:warning:"):
        assert text in shown, text


@pytest.mark.parametrize("text", TEXTS)
def test_an_error_is_shown_as_it_is(text: str) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        terminal.print_error(f"negbench: {text}: is wrong")
    assert err.getvalue() == f"negbench: {text}: is wrong\n"


@pytest.mark.parametrize("text", TEXTS)
def test_progress_on_a_terminal_is_shown_as_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with contextlib.redirect_stderr(err), progress_bar() as report:
        done = Standing(method=f"method {text}", measure="nDCG@10", mean=0.5, seeds=2)
        report(Progress(total=3, done=1, label=f"train {text}", seconds_left=30.0, finished=[done]))
    assert f"train {text}" in err.getvalue()
    assert re.search(rf"method {re.escape(text)} +0.5000 +2\b", err.getvalue())
