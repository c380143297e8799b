"""Files of pairs and of negatives, written by the tools that people write them with, become collections."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from beir_folders import pairs as judged

from negbench.collections import storage
from negbench.collections.pairs import Pairs
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Collection

FAQ = [(f"how is lamp {row} cleaned?", f"Wipe lamp {row // 2} with a dry cloth.") for row in range(40)]
"""Forty questions; two share each answer."""
MINED = [
    {"query": "where is the lake?", "pos": ["The lake is up north."], "neg": ["Lakes are wet.", "The tower is tall."]},
    {"query": "who built the tower?", "pos": ["Ann built it."], "neg": ["The tower is tall.", "The lake is up north."]},
]


def frame() -> pd.DataFrame:
    return pd.DataFrame(FAQ, columns=["question", "answer"]).assign(topic="lamps")


def _saved(at: Path) -> Path:
    from datasets import Dataset

    Dataset.from_pandas(frame()).save_to_disk(str(at / "saved"))
    return at / "saved"


def _lines(path: Path, rows: list[Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def _by_pandas(name: str, method: str, **options: Any) -> Callable[[Path], Path]:
    def write(at: Path) -> Path:
        getattr(frame(), method)(at / name, **options)
        return at / name

    return write


def _after(first: str, separator: str) -> Callable[[Path], Path]:
    """Return a writer of a table with something before the names of its columns."""

    def write(at: Path) -> Path:
        (at / "faq.csv").write_text(first + frame().to_csv(index=False, sep=separator))
        return at / "faq.csv"

    return write


WRITERS: dict[str, Callable[[Path], Path]] = {
    "csv": _by_pandas("faq.csv", "to_csv", index=False),
    "csv with semicolons": _by_pandas("faq.csv", "to_csv", index=False, sep=";"),
    "csv that tells its separator": _after("sep=;\n", ";"),
    "csv that tells its separator in quotes": _after('"sep=,"\r\n', ","),
    "csv after a blank line": _after("\n", ","),
    "csv with an index": _by_pandas("faq.csv", "to_csv"),
    "csv with a byte order mark": _by_pandas("faq.csv", "to_csv", index=False, encoding="utf-8-sig"),
    "zipped csv": _by_pandas("faq.csv.gz", "to_csv", index=False),
    "tsv": _by_pandas("faq.tsv", "to_csv", index=False, sep="\t"),
    "parquet": _by_pandas("faq.parquet", "to_parquet"),
    "json lines": _by_pandas("faq.jsonl", "to_json", orient="records", lines=True),
    "json": _by_pandas("faq.json", "to_json", orient="records"),
    "saved dataset": _saved,
    "lists": lambda at: _lines(at / "faq.jsonl", [list(pair) for pair in FAQ]),
}


def texts_judged(collection: Collection) -> set[tuple[str, str]]:
    """Return all relevant pairs as texts."""
    return {
        (collection.queries[q], collection.texts[d])
        for qrels in collection.qrels.values()
        for q, d, grade in qrels.triples()
        if grade > 0
    }


class TestFiles:
    @pytest.mark.parametrize("name", WRITERS)
    def test_the_same_collection(self, name: str, tmp_path: Path) -> None:
        collection = source_of(str(WRITERS[name](tmp_path))).load()
        assert texts_judged(collection) == set(FAQ)
        assert len(collection.texts) == 20
        assert len(collection.queries) == 40
        assert set(collection.qrels) == {"train", "dev", "test"}
        assert collection.given is None

    def test_ids_do_not_depend_on_the_order_of_rows(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        frame().to_csv(tmp_path / "a/faq.csv", index=False)
        frame()[::-1].to_csv(tmp_path / "faq.csv", index=False)
        one, other = (Pairs(path=str(tmp_path / name)).load() for name in ("a/faq.csv", "faq.csv"))
        for split in one.qrels:
            assert judged(one, one.qrels[split]) == judged(other, other.qrels[split])

    def test_questions_of_one_answer_stay_on_one_side(self, tmp_path: Path) -> None:
        collection = source_of(str(WRITERS["csv"](tmp_path))).load()
        sides = [set(qrels.documents.tolist()) for qrels in collection.qrels.values()]
        assert sum(map(len, sides)) == len(set().union(*sides))
        assert not any("share" in warning for warning in collection.warnings)

    def test_the_columns_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "faq.csv"
        frame().rename(columns=str.capitalize).to_csv(path, index=False)
        collection = Pairs(path=str(path)).load()
        assert "the column Question is read as the query, and Answer as its document" in collection.warnings
        assert texts_judged(collection) == set(FAQ)

    def test_columns_may_be_named(self, tmp_path: Path) -> None:
        path = tmp_path / "faq.csv"
        table = frame().rename(columns={"question": "Frage", "answer": "Antwort"})
        table.assign(query="not this", falsch="Lamps.", text="nor this").to_csv(path, index=False)
        value = {"pairs": str(path), "query": "Frage", "positive": "Antwort", "negative": "falsch"}
        collection = source_of(value).load()
        assert texts_judged(collection) == set(FAQ)
        assert collection.given is not None
        assert [collection.texts[row] for row in collection.given.documents[:1]] == ["Lamps."]
        assert source_of(source_of(value).spelling) == source_of(value)

    def test_splits_by_file_and_by_dataset(self, tmp_path: Path) -> None:
        from datasets import Dataset, DatasetDict

        table = frame()
        for split, rows in (("train", table[:30]), ("validation", table[30:34]), ("test", table[34:])):
            rows.to_csv(tmp_path / f"{split}.csv", index=False)
        parts = {split: Dataset.from_pandas(pd.read_csv(tmp_path / f"{split}.csv")) for split in ("train", "test")}
        DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
        by_file = source_of(str(tmp_path)).load()
        assert {split: len(qrels) for split, qrels in by_file.qrels.items()} == {"train": 30, "dev": 4, "test": 6}
        by_dataset = source_of(str(tmp_path / "saved")).load()
        assert len(by_dataset.qrels["test"]) == 6
        assert len(by_dataset.qrels["train"]) + len(by_dataset.qrels["dev"]) == 30

    def test_further_documents(self, tmp_path: Path) -> None:
        path = WRITERS["csv"](tmp_path)
        (tmp_path / "more.tsv").write_text("m1\tA lamp has a switch.\nm2\tWipe lamp 3 with a dry cloth.\n")
        collection = Pairs(path=str(path), corpus=str(tmp_path / "more.tsv")).load()
        assert len(collection.texts) == 21
        assert {"m1", "m2"} <= set(collection.document_ids)
        assert texts_judged(collection) == set(FAQ)

    def test_what_was_read_decides_the_fingerprint(self, tmp_path: Path) -> None:
        path = WRITERS["csv"](tmp_path)
        before = Pairs(path=str(path)).fingerprint()
        (tmp_path / "elsewhere").mkdir()
        copied = Path(path.rename(tmp_path / "elsewhere/faq.csv"))
        assert Pairs(path=str(copied)).fingerprint() == before
        assert Pairs(path=str(copied), together="text").fingerprint() != before
        (tmp_path / "texts.tsv").write_text("1\tone\n")
        both = [Pairs(path=str(copied), **{key: str(tmp_path / "texts.tsv")}) for key in ("corpus", "queries")]
        assert len({before, *(one.fingerprint() for one in both)}) == 3
        copied.write_text(copied.read_text().replace("dry", "wet"))
        assert Pairs(path=str(copied)).fingerprint() != before


def lists(collection: Collection) -> dict[str, list[tuple[str, float]]]:
    """Return the given candidates by query, in order, as texts with scores."""
    found: dict[str, list[tuple[str, float]]] = {}
    given = collection.given
    assert given is not None
    for q, d, rank, score in zip(given.queries, given.documents, given.ranks, given.scores, strict=True):
        if rank >= 0:
            assert rank == len(found.setdefault(collection.queries[q], []))
            found[collection.queries[q]].append((collection.texts[d], round(float(score), 4)))
    return found


def texts_of(found: dict[str, list[tuple[str, float]]]) -> dict[str, list[str]]:
    return {query: [text for text, _ in listed] for query, listed in found.items()}


WANTED = {str(row["query"]): list(row["neg"]) for row in MINED}


def _rows(layout: str) -> list[dict[str, Any]]:
    if layout == "flag embedding":
        return MINED
    if layout == "triplets":
        return [{"anchor": r["query"], "positive": r["pos"][0], "negative": text} for r in MINED for text in r["neg"]]
    if layout == "tuples":
        return [
            {"anchor": r["query"], "positive": r["pos"][0], **{f"negative_{n}": t for n, t in enumerate(r["neg"], 1)}}
            for r in MINED
        ]
    if layout == "labelled pairs":
        return [
            {"query": r["query"], "passage": text, "label": int(text in r["pos"])}
            for r in MINED
            for text in (*r["pos"], *r["neg"])
        ]
    if layout == "tevatron":
        return [
            {
                "query_id": str(n),
                "query": r["query"],
                "positive_passages": [{"docid": "1", "title": "", "text": text} for text in r["pos"]],
                "negative_passages": [{"docid": "2", "title": "", "text": text} for text in r["neg"]],
            }
            for n, r in enumerate(MINED)
        ]
    return [
        {
            "question": r["query"],
            "answers": [],
            "positive_ctxs": [{"title": "", "text": text} for text in r["pos"]],
            "hard_negative_ctxs": [{"title": "", "text": text} for text in r["neg"]],
        }
        for r in MINED
    ]


class TestNegatives:
    @pytest.mark.parametrize("layout", ["flag embedding", "triplets", "tuples", "labelled pairs", "tevatron", "dpr"])
    def test_every_layout_gives_the_same_lists(self, layout: str, tmp_path: Path) -> None:
        path = _lines(tmp_path / "mined.jsonl", _rows(layout))
        collection = Pairs(path=str(path), dev=0, test=0).load()
        assert texts_of(lists(collection)) == WANTED
        assert texts_judged(collection) == {(r["query"], r["pos"][0]) for r in MINED}

    def test_triplets_that_sentence_transformers_saves(self, tmp_path: Path) -> None:
        from datasets import Dataset

        Dataset.from_list(_rows("triplets")).to_parquet(str(tmp_path / "triplets.parquet"))
        collection = source_of(str(tmp_path / "triplets.parquet")).load()
        assert texts_of(lists(collection)) == WANTED

    def test_scores_of_positives_and_negatives(self, tmp_path: Path) -> None:
        rows = [{**row, "pos_scores": [0.9], "neg_scores": [0.5, 0.7]} for row in MINED]
        collection = Pairs(path=str(_lines(tmp_path / "mined.jsonl", rows)), dev=0, test=0).load()
        assert [score for _, score in lists(collection)["where is the lake?"]] == [0.5, 0.7]
        given = collection.given
        assert given is not None
        known = given.ranks < 0
        assert known.sum() == 2  # a positive each that is no candidate
        assert np.allclose(given.scores[known], 0.9)

    def test_graded_labels(self, tmp_path: Path) -> None:
        rows = [{"query": "q", "document": text, "score": grade} for text, grade in (("a", 2.0), ("b", 1), ("c", 0))]
        collection = Pairs(path=str(_lines(tmp_path / "graded.jsonl", rows)), dev=0, test=0).load()
        grades = {collection.texts[d]: g for _, d, g in collection.qrels["train"].triples()}
        assert grades == {"a": 2, "b": 1}
        assert texts_of(lists(collection)) == {"q": ["c"]}

    def test_a_positive_among_the_negatives_is_told(self, tmp_path: Path) -> None:
        rows = [{"query": "q", "pos": ["a"], "neg": ["a", "b"]}, {"query": "r", "pos": ["b"], "neg": ["a"]}]
        collection = Pairs(path=str(_lines(tmp_path / "m.jsonl", rows)), dev=0, test=0).load()
        assert any(w.startswith("1 given candidate is a labelled positive") for w in collection.warnings)

    def test_they_are_stored_and_read(self, tmp_path: Path) -> None:
        collection = Pairs(path=str(_lines(tmp_path / "m.jsonl", MINED)), dev=0, test=0).load()
        (tmp_path / "store").mkdir()
        storage.save(collection, tmp_path / "store")
        assert texts_of(lists(storage.load(tmp_path / "store"))) == WANTED


DOCUMENTS = [{"docid": f"d{n}", "title": "", "text": f"document number {n}"} for n in range(6)]
QUERIES = [{"query_id": f"q{n}", "query": f"query number {n}"} for n in range(3)]
WANTED_IDS = {f"q{n}": [f"d{n + 1}", f"d{n + 2}"] for n in range(3)}
BY_ID: dict[str, list[Any]] = {
    "tevatron 2": [
        {"query_id": q, "query_text": "x", "positive_document_ids": [f"d{q[1]}"], "negative_document_ids": listed}
        for q, listed in WANTED_IDS.items()
    ],
    "msmarco-hard-negatives": [
        {"qid": q, "pos": [f"d{q[1]}"], "neg": {"bm25": listed, "other": listed[:1], "none": None}}
        for q, listed in WANTED_IDS.items()
    ],
    "colbert": [[q, f"d{q[1]}", *listed] for q, listed in WANTED_IDS.items()],
    "candidate lists": [
        {"query_id": q, "document_ids": [f"d{q[1]}", *listed], "scores": [0.9, 0.8, 0.7]}
        for q, listed in WANTED_IDS.items()
    ],
    "candidate lists with positives": [
        {"query_id": q, "document_ids": [*listed, f"d{q[1]}"], "scores": [0.8, 0.7, 0.9], "positive_ids": [f"d{q[1]}"]}
        for q, listed in WANTED_IDS.items()
    ],
}


def ids_of(collection: Collection) -> dict[str, list[str]]:
    given = collection.given
    assert given is not None
    found: dict[str, list[str]] = {}
    for q, d, rank in zip(given.queries, given.documents, given.ranks, strict=True):
        if rank >= 0:
            found.setdefault(collection.query_ids[q], []).append(collection.document_ids[d])
    return found


class TestIds:
    @pytest.mark.parametrize("layout", BY_ID)
    def test_with_a_corpus_and_queries(self, layout: str, tmp_path: Path) -> None:
        path = _lines(tmp_path / "rows.jsonl", BY_ID[layout])
        corpus, queries = _lines(tmp_path / "corpus.jsonl", DOCUMENTS), _lines(tmp_path / "queries.jsonl", QUERIES)
        collection = Pairs(path=str(path), corpus=str(corpus), queries=str(queries), dev=0, test=0).load()
        assert ids_of(collection) == WANTED_IDS
        assert judged(collection, collection.qrels["train"]) == {(f"q{n}", f"d{n}"): 1 for n in range(3)}
        assert len(collection.texts) == 6

    def test_tevatron_2_needs_no_queries(self, tmp_path: Path) -> None:
        path, corpus = _lines(tmp_path / "r.jsonl", BY_ID["tevatron 2"]), _lines(tmp_path / "c.jsonl", DOCUMENTS)
        collection = Pairs(path=str(path), corpus=str(corpus), dev=0, test=0).load()
        assert ids_of(collection) == WANTED_IDS

    @pytest.mark.parametrize("layout", ["msmarco-hard-negatives", "candidate lists"])
    def test_without_texts_it_is_told_what_to_write(self, layout: str, tmp_path: Path) -> None:
        path = _lines(tmp_path / "rows.jsonl", BY_ID[layout])
        with pytest.raises(InputError, match=r"rows.jsonl:1: ids, not texts \(q0, d0\); .*corpus: FILE, queries: FILE"):
            Pairs(path=str(path)).load()

    def test_ids_that_nothing_has_are_counted(self, tmp_path: Path) -> None:
        rows = [*BY_ID["colbert"], ["q0", "d0", "gone"]]
        path, corpus = _lines(tmp_path / "r.jsonl", rows), _lines(tmp_path / "c.jsonl", DOCUMENTS)
        queries = _lines(tmp_path / "q.jsonl", QUERIES)
        collection = Pairs(path=str(path), corpus=str(corpus), queries=str(queries), dev=0, test=0).load()
        assert "1 given candidate names an unknown query or document and is left out" in collection.warnings

    def test_lightons_repository(self, tmp_path: Path) -> None:
        """Three configs with a split for each dataset, in Parquet, as the datasets library writes it."""
        from datasets import Dataset

        numbered = {
            "documents": [{"document_id": n, "document": f"document number {n}"} for n in range(6)],
            "queries": [{"query_id": n, "query": f"query number {n}"} for n in range(3)],
            "scores": [{"query_id": n, "document_ids": [n, n + 1, n + 2], "scores": [0.9, 0.8, 0.7]} for n in range(3)],
        }
        card = "---\nconfigs:\n"
        for config, rows in numbered.items():
            card += f"- config_name: {config}\n  data_files:\n"
            for split in ("fiqa", "nq"):
                (tmp_path / config).mkdir(exist_ok=True)
                Dataset.from_list(rows if split == "fiqa" else rows[:2]).to_parquet(
                    str(tmp_path / config / f"{split}.parquet")
                )
                card += f"  - {{split: {split}, path: {config}/{split}.parquet}}\n"
        (tmp_path / "README.md").write_text(card + "---\n")
        collection = Pairs(path=str(tmp_path), split="fiqa", dev=0, test=0).load()
        assert ids_of(collection) == {str(n): [str(n + 1), str(n + 2)] for n in range(3)}
        assert len(collection.texts) == 6
        with pytest.raises(InputError, match="has the splits fiqa, nq; give the one to train on with split="):
            Pairs(path=str(tmp_path)).load()


class TestWithCollection:
    def test_negatives_by_text_and_by_id(self, tiny_collection: Path, tmp_path: Path) -> None:
        base = source_of(str(tiny_collection)).load()
        train = list({q: (q, d, g) for q, d, g in base.qrels["train"].triples()}.values())[:3]
        wrong = [(d + 1) % len(base.texts) for _, d, _ in train]
        by_text = [
            {"query": base.queries[q], "pos": [base.passages()[d]], "neg": [base.texts[n]]}
            for (q, d, _), n in zip(train, wrong, strict=True)
        ]
        by_id = [
            {"qid": base.query_ids[q], "pos": [base.document_ids[d]], "neg": [base.document_ids[n]]}
            for (q, d, _), n in zip(train, wrong, strict=True)
        ]
        for rows in (by_text, by_id):
            path = _lines(tmp_path / "mined.jsonl", rows)
            found = source_of({"pairs": str(path), "collection": str(tiny_collection)}).load()
            assert found.document_ids == base.document_ids
            assert found.query_ids == base.query_ids
            assert {s: q.triples() for s, q in found.qrels.items()} == {s: q.triples() for s, q in base.qrels.items()}
            assert ids_of(found) == {
                base.query_ids[q]: [base.document_ids[n]] for (q, _, _), n in zip(train, wrong, strict=True)
            }

    def test_new_texts_are_added_and_test_queries_left_alone(self, tiny_collection: Path, tmp_path: Path) -> None:
        base = source_of(str(tiny_collection)).load()
        asked = base.queries[int(base.split_queries("test")[0])]
        rows = [{"query": asked, "pos": ["new one"], "neg": ["new two"]}, {"query": "new?", "pos": ["yes"], "neg": []}]
        found = Pairs(path=str(_lines(tmp_path / "m.jsonl", rows)), collection=str(tiny_collection)).load()
        assert len(found.texts) == len(base.texts) + 3
        assert found.qrels["test"].triples() == base.qrels["test"].triples()
        assert len(found.qrels["train"]) == len(base.qrels["train"]) + 1
        assert any("1 query of the rows belongs to another split" in warning for warning in found.warnings)
