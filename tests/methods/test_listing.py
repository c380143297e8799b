from __future__ import annotations

from pathlib import Path

import pytest

from negbench.methods import catalogue, listing, resolve


def test_the_page_is_made_from_the_methods() -> None:
    """Made by ``negbench methods --markdown > configs/methods.md``."""
    page = Path(__file__).parents[2] / "configs/methods.md"
    assert page.read_text(encoding="utf-8") == listing.page(catalogue().values())


@pytest.mark.parametrize(
    ("method", "needs"),
    [
        ("in-batch", "nothing"),
        ("random", "nothing"),
        ("bm25", "a BM25 index"),
        ("naive", "the corpus encoded once by the start"),
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


def test_there_is_a_grid_of_all_methods() -> None:
    from negbench.config.grid import read

    ((_, settings),) = read(Path(__file__).parents[2] / "configs/methods.yaml", ["collection=helpdesk"]).points
    assert {method.name for method in settings.methods} == set(catalogue()) - {"live", "syneg"}
