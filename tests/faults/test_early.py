"""What can be known before the first stage is told then: one line with file, line and key, and exit code 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import grid


def broken(model: Path, here: Path) -> dict[str, str]:
    """Return models that cannot be used, by what is wrong: copies of ``model``, each with one fault."""
    made = {}
    for name in ("config", "weights", "shapes", "tokenizer", "length", "pooling"):
        folder = Path(shutil.copytree(model, here / name))
        if name == "config":
            (folder / "config.json").write_text("{broken")
        elif name == "weights":
            whole = (folder / "model.safetensors").read_bytes()
            (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
        elif name == "shapes":
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 128}))
        elif name == "length":
            (folder / "sentence_bert_config.json").write_text('{"max_seq_length": "long"}')
        elif name == "pooling":
            pooling = folder / "1_Pooling/config.json"
            pooling.write_text(pooling.read_text().replace("32", "7"))
        else:
            (folder / "tokenizer.json").write_text('{"version": "1.0"}')
        made[name] = str(folder)
    return made


CASES = {
    "more layers than there are": ("encoder: {{model: {tiny}, keep_layers: 99}}", "3: encoder: ", "it has 3 layers"),
    "more layers drawn than kept": (
        "encoder: {{model: {tiny}, keep_layers: 1, reinit_layers: 2}}", "3: encoder: ", "reinit_layers=2, but it has 1",
    ),
    "a config that is no JSON": ("encoder: {config}", "3: encoder: ", "config.json"),
    "weights that are cut": ("encoder: {weights}", "3: encoder: ", "cannot be loaded"),
    "weights of another shape": ("encoder: {shapes}", "3: encoder: ", "of another shape than config.json says"),
    "a tokenizer that is none": ("encoder: {tokenizer}", "3: encoder: ", "cannot be loaded"),
    "a length that is a word": ("encoder: {length}", "3: encoder: ", "expected a whole number of at least 1"),
    "dimensions that are not those of its vectors": (
        "encoder: {pooling}", "3: encoder: ", "gives vectors of 32 dimensions, and its files say 7",
    ),
    "a judge that cannot be loaded": ("judge: {{bi-encoder: {{model: {weights}}}}}", "judge: ", "cannot be loaded"),
    "a judge without a head": ("judge: cross-encoder(model={tiny})", "judge: ", "which would be drawn at random"),
    "a judge that is no language model": ("judge: local-llm(model={tokenizer})", "judge: ", "cannot be loaded"),
    "a judge that no row uses": (
        "judge: {{bi-encoder: {{model: {weights}}}}}\nestimators: [exact]", "judge: ", "cannot be loaded",
    ),
    "a teacher that no row uses": ("teacher: cross-encoder(model={weights})", "teacher: ", "cannot be loaded"),
    "one of several judges": ("judge: {{ensemble: {{judges: [bi-encoder(model={shapes}), llm]}}}}", "judge: ", "shape"),
    "a teacher of a method": (
        "methods: [in-batch, {{denoised: {{teacher: cross-encoder(model={weights})}}}}]", "methods.1: ", "loaded",
    ),
    "a teacher with more layers": (
        'methods: [in-batch, {{denoised: {{teacher: "trained-cross-encoder(model={tiny}, keep_layers=99)"}}}}]',
        "methods.1: ", "keep_layers=99, but it has 3 layers",
    ),
    "no key of a judge": ("judge: llm(key=NO_SUCH_KEY)", "judge: ", "NO_SUCH_KEY holds no key; set it"),
    "no key of a writer": (
        "methods: [in-batch, {{bm25: {{written: llm-writer(key=NO_SUCH_KEY)}}}}]", "methods.1: ", "NO_SUCH_KEY",
    ),
    "an address without a scheme": ('judge: {{llm: {{server: "localhost:8000"}}}}', "judge.server: ", "expected an a"),
    "a key in an address": ('judge: {{llm: {{server: "http://a:b@h/v1"}}}}', "judge.server: ", "a user name or passw"),
    "a seed over 2^32": ("seeds: [0, 4294967296]", "seeds.1: ", "expected less than 4294967296, found 4294967296"),
    "a billion negatives": ("negatives: 1000000000", "negatives: ", "expected at most 1000, found 1000000000"),
    "a billion of a method": (
        "methods: [in-batch, {{bm25: {{negatives: 1000000000}}}}]", "methods.1", "expected at most 1000",
    ),
    "over 10,000 trials": ("seeds: [{many}]\naxes: {{train.epochs: [1, 2]}}", "grid tiny: 10,004 trials", "add --yes"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_before_the_first_stage(
    case: str, tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    line, place, wanted = CASES[case]
    models = {"tiny": str(tiny_encoder), "many": ", ".join(map(str, range(2_501))), **broken(tiny_encoder, tmp_path)}
    path = grid(tmp_path, tiny_encoder)
    key, _, value = line.format(**models).partition(": ")
    lines = [text for text in path.read_text().strip().splitlines() if not text.startswith((f"{key}:", "estimators:"))]
    lines.insert(2, f"{key}: {value}")
    path.write_text("\n".join(lines) + "\n")
    said = negbench("run", path, "--out", "results", cwd=tmp_path)
    assert said.code == 2, said.err
    (error,) = [text for text in said.err.splitlines() if text.startswith("negbench: ")]
    assert said.err.splitlines()[-1] == error
    assert place in error
    assert wanted in error
    assert str(path) in error or "over 10,000" in case
    assert not (tmp_path / "results").exists()
    stored = {it.name for it in (tmp_path / ".negbench").glob("*") if it.is_dir()}
    assert not stored - {"locks", "drafts", "answers"}  # no collection, which may take long to read


def test_many_trials_are_planned_when_they_are_meant(
    tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negbench.plan.size.MOST_TRIALS", 1)
    path = grid(tmp_path, tiny_encoder)
    for command in ("plan", "run", "repair"):
        assert " trials, more than 1; " in negbench(command, path, cwd=tmp_path).err
    assert negbench("plan", path, "--yes", cwd=tmp_path).code == 0


def test_other_files_where_the_best_encoder_goes(
    tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "results/best").mkdir(parents=True)
    (tmp_path / "results/best/notes.txt").write_text("mine")
    said = negbench("run", grid(tmp_path, tiny_encoder), "--out", "results", cwd=tmp_path)
    assert said.code == 2
    assert said.err == "negbench: results/best: holds other files; move them, or give another --out\n"
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["best"]
    assert not (tmp_path / ".negbench").exists()
