"""What a run leaves for others: encoders as plain folders with cards, and rankings as TREC files."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

import negbench as nb
from negbench import tracking
from negbench.errors import InputError
from negbench.runners import models
from negbench.runners.file_names import file_name

Command = Callable[..., Any]
TRAIN = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "max_length": 32, "precision": "float32"}
GRID = {
    "name": "kept",
    "methods": ["in-batch", "random", "bm25"],
    "seeds": [0, 1],
    "train": TRAIN,
}


def _grid(encoder: Path, collection: Path) -> dict[str, Any]:
    return {**GRID, "encoder": str(encoder), "collection": str(collection)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_collection: Path) -> tuple[nb.Results, Path]:
    """The results of a run with everything kept, and its store."""
    here = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        results = nb.run(
            _grid(tiny_encoder, tiny_collection), here / "out", store=here / "store", models="all", runs=True
        )
    return results, here / "store"


def _training(store: Path, results: nb.Results, name: str) -> Path:
    (trial,) = [trial for trial in results.data["trials"] if trial["name"] == name]
    return store / "training" / trial["digests"]["training"][-1] / "model"


def _dev_ndcg(folder: Path, collection: Path) -> float:
    """nDCG@10 on dev, by sentence-transformers, a sort and the formula; every grade is 1."""
    from sentence_transformers import SentenceTransformer

    from negbench.collections.beir import Beir

    made, model = Beir(path=str(collection)).load(), SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = 32
    documents = model.encode(made.passages())
    gains = []
    for query, relevant in made.qrels["dev"].at_least(1).by_query().items():
        order = np.argsort(-(documents @ model.encode(made.queries[query])))[:10]
        discounts = 1 / np.log2(np.arange(10) + 2)
        gains.append((np.isin(order, relevant) * discounts).sum() / discounts[: len(relevant)].sum())
    return float(np.mean(gains))


class TestBest:
    def test_it_is_the_row_that_is_best_on_dev(self, ran: tuple[nb.Results, Path], tiny_collection: Path) -> None:
        results, store = ran
        dev: dict[str, float] = {}
        for method in ("in-batch", "random", "bm25"):
            folders = [_training(store, results, f"{method} seed {seed}") for seed in (0, 1)]
            dev[method] = float(np.mean([_dev_ndcg(folder, tiny_collection) for folder in folders]))
        assert len(set(dev.values())) == 3
        origin = json.loads((results.path / "best/negbench.json").read_text())
        chosen = max(dev, key=lambda name: dev[name])
        assert origin["trial"] == f"{chosen} seed 0"
        assert f"highest nDCG@10 on dev, {dev[chosen]:.4f}, of 3 rows" in results.model_notes[0]

    def test_each_evaluation_on_dev_is_told_once(
        self, ran: tuple[nb.Results, Path], tmp_path: Path, tiny_encoder: Path, tiny_collection: Path
    ) -> None:
        """Two rows with two seeds; the start is evaluated already."""
        _, store = ran
        grid = {
            **_grid(tiny_encoder, tiny_collection),
            "methods": ["in-batch", "random"],
            "train": TRAIN | {"epochs": 2},
        }
        told: list[Any] = []
        nb.run(grid, tmp_path / "out", store=store, progress=told.append)
        on_dev = [it for it in told if it.label.endswith(": evaluate on dev, to choose the best row")]
        assert [(it.done, it.total) for it in on_dev] == [(0, 4), (1, 4), (2, 4), (3, 4)]
        assert told[-4:] == on_dev
        assert all(it.seconds_left > 0 for it in on_dev)

    def test_plain_sentence_transformers_loads_the_same_vectors(self, ran: tuple[nb.Results, Path]) -> None:
        from sentence_transformers import SentenceTransformer

        results, store = ran
        texts = ["the fan is loud", "no sound at all", "battery"]
        trained = {name: _training(store, results, f"{name} seed 0") for name in ("in-batch", "random", "bm25")}
        chosen = json.loads((results.path / "best/negbench.json").read_text())["trial"].removesuffix(" seed 0")
        folders = {results.path / "models" / name: folder for name, folder in trained.items()}
        folders[results.path / "best"] = trained[chosen]
        assert set(folders) == set(results.models)
        for kept, folder in folders.items():
            one, other = (SentenceTransformer(str(it), device="cpu").encode(texts) for it in (kept, folder))
            assert np.array_equal(one, other)
            assert not any(path.is_symlink() for path in kept.rglob("*"))
            modes = {path.stat().st_mode for path in kept.rglob("*") if path.is_file()}
            assert len(modes) == 1  # that of the card: who may read it may load the model

    def test_the_card(self, ran: tuple[nb.Results, Path], tiny_encoder: Path) -> None:
        from huggingface_hub import ModelCard

        results, _ = ran
        text = (results.path / "best/README.md").read_text()
        name = json.loads((results.path / "best/negbench.json").read_text())["trial"]
        (trial,) = [it for it in results.data["trials"] if it["name"] == name]
        card = ModelCard(text)
        values = {it.metric_name: it.metric_value for it in card.data.eval_results}
        assert values["nDCG@10"] == round(trial["metrics"]["nDCG@10"], 4)
        assert "grid: kept; chosen as highest nDCG@10 on dev" in text
        assert f"training `{trial['digests']['training'][-1]}`" in text
        (line,) = [line for line in text.splitlines() if line.startswith("| nDCG@10 |")]
        _, _, value, interval, *beside = (cell.strip() for cell in line.split("|"))
        low, high = map(float, interval.split(" to "))
        assert low < float(value) < high
        assert str(tiny_encoder.parent) not in text
        (heading,) = [line for line in text.splitlines() if line.startswith("| measure on test |")]
        references = [cell.strip() for cell in heading.split("|")[4:-1]]
        assert references == ["untouched", "bm25-search", "start"]
        metrics = {it["name"]: it["metrics"]["nDCG@10"] for it in results.data["trials"]}
        assert beside[:-1] == [f"{metrics[name]:.4f}" for name in references]

    def test_a_better_reference_is_named_by_the_note_and_the_card(
        self, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of one seed the test is the paired t test over queries."""
        from scipy.stats import ttest_rel

        monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, ""))
        grid = {**_grid(tiny_encoder, tmp_path), "collection": _without_dev(tmp_path), "seeds": [0]}
        results = nb.run({**grid, "methods": ["in-batch"]}, tmp_path / "out", store=tmp_path / "store")
        with (results.path / "by_query.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        values = {name: np.array([float(line[name]) for line in lines]) for name in list(lines[0])[2:]}
        own = values.pop("in-batch seed 0")
        better = {it for it in values if ttest_rel(values[it], own, alternative="greater").pvalue < 0.025}
        assert "bm25-search" in better  # words find the number of a sock
        called = {
            "bm25-search": f"BM25 as the search engine ({values['bm25-search'].mean():.4f})",
            "untouched": "the untouched model (",
            "start": "the encoder before training (",
        }
        card = (results.path / "best/README.md").read_text()
        for told in (results.model_notes[0], card.split("In the mean over its seeds this row has")[1]):
            said = told.split(f"{own.mean():.4f} on test, significantly less than ")[1]
            assert {name for name, words in called.items() if words in said} == better
            assert ": use BM25 as the search engine" in said

    def test_a_note_says_why_the_verdict_names_another_row(self, ran: tuple[nb.Results, Path], tmp_path: Path) -> None:
        results, _ = ran
        outputs = results.outputs
        chosen = json.loads((results.path / "best/negbench.json").read_text())["trial"].removesuffix(" seed 0")
        trained = [row for row in results.rows if row.form != "reference"]
        assert len(trained) == 3
        for row in trained:
            kept = models.keep(
                "best", outputs.done, outputs.records, outputs.store, tmp_path, lambda _: None, (), [row]
            )
            named = f"; the verdict names {row.method} instead, since it goes by test: " in kept.notes[0]
            assert named == (row.method != chosen)

    def test_a_second_run_leaves_the_copy(
        self, ran: tuple[nb.Results, Path], tiny_encoder: Path, tiny_collection: Path
    ) -> None:
        results, store = ran
        weights = results.path / "best/model.safetensors"
        before = weights.stat().st_mtime_ns
        again = nb.run(_grid(tiny_encoder, tiny_collection), results.path, store=store)
        assert again.models == (results.path / "best",)
        assert weights.stat().st_mtime_ns == before

    def test_without_dev_nothing_is_chosen(
        self, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The test split must not choose; a single row needs no choice."""
        monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, ""))
        grid = {**_grid(tiny_encoder, tmp_path), "collection": _without_dev(tmp_path), "seeds": [0]}
        results = nb.run(grid, tmp_path / "out", store=tmp_path / "store")
        assert results.models == ()
        assert "no best/: the collection has no split dev" in results.model_notes[0]
        assert not (tmp_path / "out/best").exists()
        alone = nb.run({**grid, "methods": ["in-batch"]}, tmp_path / "alone", store=tmp_path / "store")
        assert alone.models == (tmp_path / "alone/best",)
        none = nb.run(grid, tmp_path / "none", store=tmp_path / "store", models="none")
        assert (none.models, none.model_notes) == ((), ())
        (tmp_path / "alone/best/negbench.json").unlink()
        with pytest.raises(InputError, match="holds other files"):
            nb.run({**grid, "methods": ["in-batch"]}, tmp_path / "alone", store=tmp_path / "store")


def _without_dev(folder: Path) -> str:
    place = folder / "plain"
    (place / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{at}", "title": "", "text": f"sock number {at}"} for at in range(30)]
    queries = [{"_id": f"q{at}", "text": f"where is sock {at}"} for at in range(20)]
    for stem, records in (("corpus", documents), ("queries", queries)):
        (place / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, rows in (("train", range(12)), ("test", range(12, 20))):
        judged = "".join(f"q{row}\td{row}\t1\n" for row in rows)
        (place / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return f"beir(path={place}, dev=0)"


class TestRuns:
    def test_other_tools_measure_what_the_table_says(self, ran: tuple[nb.Results, Path]) -> None:
        import ir_measures

        results, _ = ran
        (folder,) = (results.path / "trec").iterdir()
        qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.test.trec")))
        with (results.path / "by_query.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        names = [trial["name"] for trial in results.data["trials"]]
        assert {path.stem for path in folder.glob("*.trec")} == {it.replace(" ", "_") for it in names} | {"qrels.test"}
        for name in names:
            run = list(ir_measures.read_trec_run(str(folder / f"{name.replace(' ', '_')}.trec")))
            found = {it.query_id: it.value for it in ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, run)}
            assert found == pytest.approx({line["query"]: float(line[name]) for line in lines}, rel=1e-5)

    def test_ranx_reads_them(self, ran: tuple[nb.Results, Path]) -> None:
        ranx = pytest.importorskip("ranx")
        results, _ = ran
        (folder,) = (results.path / "trec").iterdir()
        qrels = ranx.Qrels.from_file(str(folder / "qrels.test.trec"), kind="trec")
        (trial,) = [it for it in results.data["trials"] if it["name"] == "bm25 seed 1"]
        run = ranx.Run.from_file(str(folder / "bm25_seed_1.trec"), kind="trec")
        assert ranx.evaluate(qrels, run, "ndcg@10") == pytest.approx(trial["metrics"]["nDCG@10"])

    def test_mteb_loads_the_scores(self, ran: tuple[nb.Results, Path]) -> None:
        mteb = pytest.importorskip("mteb")
        results, _ = ran
        (trial,) = [it for it in results.data["trials"] if it["name"] == "bm25 seed 1"]
        (path,) = (results.path / "mteb/bm25_seed_1").rglob("*.json")
        assert path.parent.name == trial["digests"]["training"][-1]
        loaded = mteb.TaskResult.from_disk(path)
        assert loaded.task_name == "garden"
        (scores,) = loaded.scores["test"]
        assert scores["main_score"] == scores["ndcg_at_10"] == pytest.approx(trial["metrics"]["nDCG@10"])
        assert scores["mrr_at_10"] == pytest.approx(trial["metrics"]["RR@10"])


class TestPush:
    def test_by_hand_alone(
        self,
        ran: tuple[nb.Results, Path],
        tmp_path: Path,
        tiny_encoder: Path,
        tiny_collection: Path,
        negbench: Command,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked: list[dict[str, Any]] = []

        class Hub:
            def create_repo(self, name: str, **how: Any) -> None:
                asked.append({"name": name, **how})

            def upload_folder(self, **how: Any) -> str:
                asked.append(how)
                return f"https://hub/{how['repo_id']}"

        monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
        monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        results, store = ran
        grid = _grid(tiny_encoder, tiny_collection)
        (tmp_path / "grid.yaml").write_text(json.dumps(grid))
        assert negbench("run", "grid.yaml", cwd=tmp_path, store=store).code == 0
        assert asked == []
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        said = negbench("run", "grid.yaml", "--push", "me/helper", cwd=tmp_path, store=store)
        assert said.code == 0
        assert said.err.splitlines()[-1] == "pushed to https://hub/me/helper"
        assert asked[0] == {"name": "me/helper", "private": True, "exist_ok": True}
        assert asked[1]["folder_path"] == Path("runs/kept/best")
        assert nb.push_model(results.path / "models/bm25", "me/other") == "https://hub/me/other"
        without = nb.run(grid, tmp_path / "without", store=store, models="none")
        with pytest.raises(InputError, match="has 0 best encoders to upload"):
            nb.push_model(without, "a/b")

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            (["--push", "no/such/name"], "--push no/such/name: Repo id must be"),
            (["--push", "me/helper", "--models", "none"], "--models none keeps none"),
            (["--push", "me/helper"], "no token of the hub; set HF_TOKEN"),
        ],
    )
    def test_what_can_be_known_is_refused_before_the_run(
        self, options: list[str], why: str, place: Path, negbench: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        said = negbench("run", "grid.yaml", *options, cwd=place)
        assert said.code == 2
        assert [why in line for line in said.err.splitlines()] == [True]
        assert not (place / "runs").exists()

    def test_what_the_hub_answers_is_one_line(
        self, ran: tuple[nb.Results, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        results, _ = ran
        with pytest.raises(InputError, match=r"no/such/name: .* could not be uploaded: Repo id must be"):
            nb.push_model(results, "no/such/name")


class TestBeforeTheRun:
    """What cannot be written is told before the first stage, in one line, and nothing is made but inputs."""

    @pytest.mark.parametrize("file", ["queries.jsonl", "corpus.jsonl"])
    def test_ids_that_no_trec_file_can_hold(
        self, file: str, place: Path, tiny_collection: Path, negbench: Command
    ) -> None:
        spaced = Path(shutil.copytree(tiny_collection, place / "spaced"))
        first = json.loads((spaced / file).read_text().splitlines()[0])["_id"]
        for path in spaced.rglob("*.*"):
            path.write_text(re.sub(rf"(?m)(^|\t|\"){first}(\t|\"|$)", rf"\1{first} b\2", path.read_text()))
        said = negbench("run", "grid.yaml", "--runs", "--set", "collection=spaced", cwd=place)
        assert said.code == 2
        assert said.err.splitlines()[-1].startswith("negbench: --set collection: --runs: the id ")
        assert f"{first} b" in said.err
        kinds = ("embeddings", "evaluation", "pool", "training")
        assert not [path for kind in kinds for path in place.glob(f".negbench/{kind}/*")]
        assert not (place / "runs").exists()
        assert not said.out
        for command in (
            ["mine", "bm25", "--collection", "spaced"],
            ["export", "grid.yaml", "bm25", "--set", "collection=spaced"],
        ):
            said = negbench(*command, "--out", "mined", "--format", "trec", cwd=place)
            assert said.code == 2
            assert f"format trec: the id '{first} b' has white space" in said.err
            assert not list(place.glob(".negbench/pool/*"))

    def test_rows_and_collections_of_one_file_name(self, place: Path, tiny_collection: Path, negbench: Command) -> None:
        named = "methods=[{bm25: {}, name: 'a b'}, {random: {}, name: 'a:b'}]"
        for options in (["--runs"], ["--models", "all"]):
            said = negbench("run", "grid.yaml", *options, "--set", named, cwd=place)
            assert said.code == 2
            assert "files of both would be called a_b" in said.err
        for name in ("one/a b", "two/a:b"):
            shutil.copytree(tiny_collection, place / name)
        with (place / "two/a:b/corpus.jsonl").open("a") as corpus:
            corpus.write('{"_id": "further", "text": "a further text"}\n')
        (place / "more.yaml").write_text(json.dumps({**GRID, **_own(place), "evaluate_on": ["two/a:b"]}))
        said = negbench("run", "more.yaml", "--runs", "--set", "collection=one/a b", cwd=place)
        assert said.code == 2
        assert "collections a b and a:b: files of both would be called a_b" in said.err
        assert not (place / "runs").exists()

    def test_collections_that_differ_in_a_parameter(self, place: Path, negbench: Command) -> None:
        """Each has folders of its own, named by what differs."""
        inner = _own(place)["collection"]
        varied = {**GRID, **_own(place), "collection": {"mismatched": {"collection": inner}}, "methods": ["in-batch"]}
        varied["axes"] = {"collection.mismatched.rate": [0.25, 0.5]}
        (place / "varied.yaml").write_text(json.dumps(varied))
        said = negbench("run", "varied.yaml", "--runs", "--out", "out", cwd=place)
        assert said.code == 0, said.err
        rates = [f"mismatched_{Path(inner).name}_rate={rate}" for rate in (0.25, 0.5)]
        for folder in ("best", "trec"):
            assert sorted(path.name for path in (place / "out" / folder).iterdir()) == rates
        assert {path.stem for path in (place / "out/mteb").rglob("*.json")} == set(rates)

    def test_a_name_that_is_too_long_for_a_file_is_cut(self) -> None:
        one, other = ("bm25(" + "x" * 300 + end for end in "ab")
        assert len(file_name(one)) == len(file_name(other)) == 150
        assert file_name(one) != file_name(other)
        assert file_name("bm25(depth=3) seed 0") == "bm25_depth=3_seed_0"


def _own(place: Path) -> dict[str, Any]:
    grid = json.loads((place / "grid.yaml").read_text())
    return {key: grid[key] for key in ("encoder", "collection")}


@pytest.fixture
def place(tmp_path: Path, tiny_encoder: Path, tiny_collection: Path) -> Path:
    (tmp_path / "grid.yaml").write_text(json.dumps(_grid(tiny_encoder, tiny_collection)))
    return tmp_path
