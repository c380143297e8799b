"""Which queries of two grids are the same: those of equal judgments on equal documents, whatever they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_papers import write_paper

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.papers import files, rows
from negbench.papers.paired import Queries, check
from negbench.stages.inputs import LoadCollection
from negbench.store import Store

PLAIN = "helpdesk(articles=100, queries=24, dev=6, test=12)"
OTHER = "helpdesk(articles=100, queries=24, dev=6, test=12, seed=1)"


def ids(written: str, split: str, folder: Path) -> tuple[str, ...]:
    source: Source = source_of(written)
    return Queries(Store(folder)).ids(LoadCollection(source, source.fingerprint()), split)


@pytest.mark.parametrize(
    "made", [f"mismatched(collection={PLAIN})", f"hidden(collection=mismatched(collection={PLAIN}))"]
)
def test_a_changed_training_split_leaves_the_test_queries_the_same(made: str, tmp_path: Path) -> None:
    plain = ids(PLAIN, "test", tmp_path)
    assert len(plain) == 12
    assert ids(made, "test", tmp_path) == plain
    assert not set(ids(made, "train", tmp_path)) & set(ids(PLAIN, "train", tmp_path))


@pytest.mark.parametrize("made", [OTHER, f"cut(collection={PLAIN}, words=8, overlap=0)"])
def test_other_documents_make_other_queries(made: str, tmp_path: Path) -> None:
    assert not set(ids(made, "test", tmp_path)) & set(ids(PLAIN, "test", tmp_path))


GRIDS = """\
grids: {{one: one.yaml, other: other.yaml}}
rows:
  one: {{method: random, grid: one}}
  other: {{method: random, grid: other}}
  third: {{method: random, grid: other}}
evaluations:
  lexical: {{encoder: bm25, collection: "{plain}", split: train}}
"""


def two_grids(folder: Path, other: str, says: str) -> files.Folder:
    """Return a paper that compares a row of a grid on ``PLAIN`` with one of a grid on another collection."""
    paper = write_paper(folder / "paper", {"fair": says}, GRIDS.format(plain=PLAIN))
    for name, collection in (("one", PLAIN), ("other", other)):
        grid = f"name: {name}\ncollection: '{collection}'\nencoder: all-MiniLM-L6-v2\nmethods: [random]\n"
        (paper / f"{name}.yaml").write_text(grid)
    return files.read(paper)


@pytest.mark.parametrize(
    ("other", "says", "told"),
    [
        (OTHER, "nDCG@10(one) > nDCG@10(other)", f"nDCG@10(one) is over {PLAIN}, test, nDCG@10(other) over {OTHER}"),
        (OTHER, "rate(one) > rate(other)", f"rate(one) is over {PLAIN}, train, rate(other) over {OTHER}, train"),
        (PLAIN, "nDCG@10(one) > cost/steps(other)", f"nDCG@10(one) is over {PLAIN}, test, cost/steps(other) over the"),
        (PLAIN, "nDCG@10(one) > nDCG@10(lexical)", "nDCG@10(lexical) over helpdesk"),
        (
            OTHER,
            "order of one, other, third on cost/steps as on nDCG@10 with tau below 1",
            f"nDCG@10(one) is over {PLAIN}, test, nDCG@10(other) over {OTHER}",
        ),
    ],
)
def test_what_cannot_be_paired_is_refused_before_anything_runs(
    tmp_path: Path, other: str, says: str, told: str
) -> None:
    folder = two_grids(tmp_path, other, says)
    with pytest.raises(InputError, match="cannot be paired; name rows over the same queries") as refused:
        check(folder, rows.sources(folder))
    said = str(refused.value).replace(" ", "").replace(",seed=1", "").replace("'", "")
    assert told.replace(" ", "").replace(",seed=1", "") in said
    assert ".yaml:" in said


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (f"mismatched(collection={PLAIN})", "nDCG@10(one) > nDCG@10(other)"),
        (OTHER, "cost/steps(one) > cost/steps(other)"),
        (OTHER, "rate/in-batch(one) > rate/in-batch(other)"),
        (PLAIN, "rate(one) > rate(other)"),
        (PLAIN, "order of one, other, third on rate as on nDCG@10 with tau below 1"),
    ],
)
def test_what_may_be_paired_is_left_to_the_run(tmp_path: Path, other: str, says: str) -> None:
    folder = two_grids(tmp_path, other, says)
    check(folder, rows.sources(folder))
