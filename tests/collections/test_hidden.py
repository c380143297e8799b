from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.collections import Source
from negbench.collections.beir import Beir
from negbench.collections.helpdesk import Helpdesk
from negbench.collections.hidden import Hidden
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Collection, Qrels

SMALL = Helpdesk(articles=200, queries=40, dev=10, test=10, label_rate=1.0)


def triples(qrels: Qrels) -> set[tuple[int, int, int]]:
    return set(zip(qrels.queries.tolist(), qrels.documents.tolist(), qrels.grades.tolist(), strict=True))


def hidden(collection: Source, **changed: Any) -> Collection:
    return Hidden(collection=collection, **changed).load()


@pytest.fixture
def judged(tiny_collection: Path, tmp_path: Path) -> Path:
    """The garden, with a pair that is judged not relevant, one of grade 2, and fuller judgments of train."""
    folder = tmp_path / "judged"
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/dev.tsv", "qrels/test.tsv"):
        (folder / name).write_bytes((tiny_collection / name).read_bytes())
    with (folder / "qrels/train.tsv").open("a") as file:
        file.write("train-1\tfern-soil\t0\ntrain-2\tfern-soil\t2\n")
    (folder / "fuller.train.tsv").write_text(
        "query-id\tcorpus-id\tscore\ntrain-2\tfern-soil\t1\ntrain-3\tfern-soil\t3\n"
    )
    return folder


@pytest.mark.parametrize("rate", [0.2, 0.5, 1.0])
def test_a_share_of_the_labels_stays_and_every_query_keeps_one(rate: float) -> None:
    full, found = SMALL.load(), hidden(SMALL, label_rate=rate)
    assert (found.passages(), found.queries, found.query_ids) == (full.passages(), full.queries, full.query_ids)
    for split in ("train", "dev"):
        left, all_ = found.qrels[split], full.qrels[split]
        assert triples(left) <= triples(all_) == triples(found.truth[split])
        assert set(left.queries) == set(all_.queries)
        assert len(left) == max(round(rate * len(all_)), len(set(all_.queries)))
    assert triples(found.qrels["test"]) == triples(found.truth["test"]) == triples(full.qrels["test"])
    assert found.name == "hidden(helpdesk)"
    assert found.truth_kind == "complete"  # as the help centre's is


def test_the_truth_holds_all_labels_and_what_was_known_before(judged: Path) -> None:
    inner = Beir(path=str(judged), truth="fuller.{split}.tsv")
    full, found = inner.load(), hidden(inner, label_rate=0.4)
    assert found.truth_kind == "proxy"
    relevant = {(query, row): grade for query, row, grade in triples(full.qrels["train"]) if grade >= 1}
    relevant |= {(query, row): grade for query, row, grade in triples(full.truth["train"])}
    assert triples(found.truth["train"]) == {(*pair, grade) for pair, grade in relevant.items()}
    zero = {one for one in triples(full.qrels["train"]) if one[2] == 0}
    assert len(zero) == 1
    assert zero <= triples(found.qrels["train"])  # what is judged not relevant stays judged
    assert len(triples(found.qrels["train"].at_least(1))) < len(triples(full.qrels["train"].at_least(1)))


def test_judgments_that_miss_a_split_are_not_complete_for_it(judged: Path) -> None:
    inner = Beir(path=str(judged), truth="fuller.{split}.tsv", truth_kind="complete")
    assert hidden(inner).truth_kind == "proxy"


def test_which_labels_stay_follows_from_ids_and_seed(tiny_collection: Path, turned_collection: Path) -> None:
    def kept(folder: Path, seed: int) -> set[tuple[str, str]]:
        found = hidden(Beir(path=str(folder)), seed=seed)
        train = found.qrels["train"]
        pairs = zip(train.queries.tolist(), train.documents.tolist(), strict=True)
        return {(found.query_ids[query], found.document_ids[row]) for query, row in pairs}

    assert kept(tiny_collection, 0) == kept(turned_collection, 0) != kept(turned_collection, 1)


def test_pooling_keeps_what_lies_within_one_depth_of_the_pooler() -> None:
    random, pooled = (hidden(SMALL, withhold=how) for how in ("random", "pooling"))
    assert triples(random.qrels["train"]) != triples(pooled.qrels["train"])
    same = Helpdesk(articles=200, queries=40, dev=10, test=10, label_rate=0.5, withhold="pooling").load()
    assert triples(pooled.qrels["train"]) == triples(same.qrels["train"])


def test_it_is_spelled_and_read_back_in_every_form(tiny_collection: Path) -> None:
    made = Hidden(collection=Beir(path=str(tiny_collection), dev=0.2), label_rate=0.3)
    assert source_of(made.spelling) == made
    inner = {"source": str(tiny_collection), "dev": 0.2}
    assert source_of({"hidden": {"collection": inner, "label_rate": 0.3}}) == made
    assert source_of(f"hidden(collection={tiny_collection})").collection == Beir(path=str(tiny_collection))  # type: ignore[attr-defined]
    assert source_of("hidden(collection=helpdesk(articles=200))") == Hidden(collection=Helpdesk(articles=200))


def test_the_digest_follows_the_content_and_what_is_hidden(judged: Path, tmp_path: Path) -> None:
    made = Hidden(collection=Beir(path=str(judged)))
    moved = judged.rename(tmp_path / "moved")
    before = Hidden(collection=Beir(path=str(moved))).fingerprint()
    changes: list[dict[str, Any]] = [{"withhold": "pooling"}, {"label_rate": 0.4}, {"seed": 1}]
    prints = {made.model_copy(update={"collection": Beir(path=str(moved)), **it}).fingerprint() for it in changes}
    assert len(prints | {before}) == 4
    with (moved / "qrels/train.tsv").open("a") as file:
        file.write("train-4\tfern-soil\t1\n")
    assert Hidden(collection=Beir(path=str(moved))).fingerprint() != before


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("hidden", "collection: is missing"),
        ("hidden(collection=nosuch)", "'nosuch' is no known source"),
        ("hidden(collection=helpdesk, label_rate=0)", "label_rate: expected more than 0"),
        ("hidden(collection=helpdesk, withhold=luck)", "withhold: expected"),
        ("hidden(collection=3)", "found 3"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(value: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        source_of(value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_too_short_for_the_pooler_is_like_nothing(tmp_path: Path, tiny_collection: Path) -> None:
    from negbench.collections.pooler import similarities

    (cosines,) = similarities(["a"], ["", "some words", "a"])
    np.testing.assert_array_equal(cosines, [0, 0, 0])
