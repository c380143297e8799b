from __future__ import annotations

import pytest

from negbench.methods import listing, resolve
from negbench.methods.axes import AXES, Axes


@pytest.mark.parametrize(
    ("method", "needs"),
    [
        ("in-batch", "nothing"),
        ("random", "nothing"),
        ("bm25", "a BM25 index"),
        ("naive", "the corpus encoded once by the start"),
        ("naive(encoder=all-MiniLM-L6-v2)", "the corpus encoded once by all-MiniLM-L6-v2"),
        ("hybrid", "the corpus encoded once by the start, a BM25 index"),
        ("ance", "the corpus encoded once by the start, the corpus encoded again at each refresh"),
        ("negative-cache", "the corpus encoded once by the start, a search at each refresh"),
        ("rocketqa", "the corpus encoded once by the start, a teacher's scores of 50 ranks a query"),
        (
            "tas-balanced",
            "a BM25 index, a teacher's scores of 100 ranks a query, k-means of the training queries, "
            "a teacher's scores of what is trained with",
        ),
        (
            "tas-balanced-infonce",
            "a BM25 index, a teacher's scores of 100 ranks a query, k-means of the training queries",
        ),
        ("rank-band", "the corpus encoded once by the start, a Voyager index"),
        ("rank-band-exact", "the corpus encoded once by the start"),
        ("rance", "the corpus encoded once by the start, a search for the dev queries"),
        ("rance-dem", "the corpus encoded once by the start, a search for the dev queries, a BM25 index"),
        ("bm25(loss=margin-hinge(lexical=0.1))", "a BM25 index"),
        ("margin-mse", "a BM25 index, a teacher's scores of what is trained with"),
        ("gist", "the corpus encoded once by the start, what is trained with encoded by a guide"),
        ("in-batch(loss=gist)", "what is trained with encoded by a guide"),
        ("in-batch-wide", "twice the documents a step (at one negative a row)"),
    ],
)
def test_what_a_method_needs(method: str, needs: str) -> None:
    assert listing.cost(resolve(method)) == needs


def test_axes_at_rest_are_not_said() -> None:
    assert listing.axes(resolve("in-batch")) == "in-batch negatives alone"
    assert "refresh every-epoch" in listing.axes(resolve("ance"))
    assert listing.axes(resolve("repbert")) == "loss multi-label-hinge"
    assert listing.axes(resolve("simans(a=1)")) == "candidates dense; selection simans(a=1.0, scale=zscore)"
    mined = "candidates bm25; selection top"
    assert listing.axes(resolve("bm25")) == mined
    assert listing.axes(resolve("bm25(growing=true, negatives=4)")) == f"{mined}; negatives 4; growing"
    assert listing.axes(resolve("bm25(fill=below-filters, draws=once)")) == f"{mined}; draws once; fill below-filters"


def test_every_axis_is_on_the_page() -> None:
    page = listing.page([])
    for axis in AXES:
        assert f"- `{axis}`: {Axes.model_fields[axis].description}\n" in page
