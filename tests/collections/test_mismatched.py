from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from negbench.collections.beir import Beir
from negbench.collections.helpdesk import Helpdesk
from negbench.collections.mismatched import Mismatched
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Qrels

SMALL = Helpdesk(articles=200, queries=40, dev=10, test=10, label_rate=0.5)


def pairs(qrels: Qrels) -> list[tuple[int, int]]:
    return list(zip(qrels.queries.tolist(), qrels.documents.tolist(), strict=True))


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_so_many_pairs_have_a_document_that_does_not_answer(rate: float) -> None:
    full, found = SMALL.load(), Mismatched(collection=SMALL, rate=rate).load()
    assert (found.passages(), found.queries, found.query_ids) == (full.passages(), full.queries, full.query_ids)
    before, after = set(pairs(full.qrels["train"])), set(pairs(found.qrels["train"]))
    assert len(after) == len(before)
    assert len(after - before) == round(rate * len(before))
    assert not (after - before) & set(pairs(full.truth["train"]))
    assert sorted(query for query, _ in after) == sorted(query for query, _ in before)
    assert {row for _, row in after} <= {row for _, row in before}
    assert set(pairs(found.truth["train"])) == set(pairs(full.truth["train"]))
    assert found.truth_kind == "complete"
    for split in ("dev", "test"):
        assert pairs(found.qrels[split]) == pairs(full.qrels[split])


def test_pairs_of_a_lower_rate_are_among_those_of_a_higher() -> None:
    before = set(pairs(SMALL.load().qrels["train"]))
    low, high = (before - set(pairs(Mismatched(collection=SMALL, rate=it).load().qrels["train"])) for it in (0.2, 0.6))
    assert low < high
    other = before - set(pairs(Mismatched(collection=SMALL, rate=0.2, seed=1).load().qrels["train"]))
    assert len(other) == len(low)
    assert other != low


def test_what_is_drawn_depends_on_ids_alone(tiny_collection: Path, turned_collection: Path) -> None:
    found = [
        Mismatched(collection=Beir(path=str(folder)), rate=0.5).load()
        for folder in (tiny_collection, turned_collection)
    ]
    ids = [{(it.query_ids[query], it.document_ids[row]) for query, row in pairs(it.qrels["train"])} for it in found]
    assert ids[0] == ids[1]
    assert ids[0] != {
        (plain.query_ids[query], plain.document_ids[row])
        for plain in [Beir(path=str(tiny_collection)).load()]
        for query, row in pairs(plain.qrels["train"])
    }


def test_without_fuller_judgments_the_truth_is_the_labels(tiny_collection: Path) -> None:
    plain = Beir(path=str(tiny_collection)).load()
    found = Mismatched(collection=Beir(path=str(tiny_collection)), rate=1.0).load()
    assert pairs(found.truth["train"]) == pairs(plain.qrels["train"].at_least(1))
    assert found.truth_kind == "proxy"


def test_a_pair_without_another_document_stays(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n')
    queries = {"p": "which", "q": "what", "t": "who"}
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in queries.items()]
    (tmp_path / "queries.jsonl").write_text("".join(lines))
    head = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "qrels/train.tsv").write_text(f"{head}p\ta\t1\np\tb\t1\nq\ta\t1\n")
    (tmp_path / "qrels/test.tsv").write_text(f"{head}t\ta\t1\n")
    found = Mismatched(collection=Beir(path=str(tmp_path), dev=0), rate=1.0).load()
    names = [(found.query_ids[query], found.document_ids[row]) for query, row in pairs(found.qrels["train"])]
    assert sorted(names) == [("p", "a"), ("p", "b"), ("q", "b")]


def test_a_collection_without_training_pairs_is_told(tiny_collection: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    (folder / "qrels/train.tsv").unlink()
    with pytest.raises(InputError, match="has no training pairs to mismatch"):
        Mismatched(collection=Beir(path=str(folder))).load()


def test_it_is_spelled_and_read_back() -> None:
    made = Mismatched(collection=Helpdesk(articles=200), rate=0.2)
    assert source_of(made.spelling) == made
    assert source_of("mismatched(collection=helpdesk(articles=200), rate=0.2)") == made
    assert made.fingerprint() != made.model_copy(update={"rate": 0.3}).fingerprint()
