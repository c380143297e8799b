"""A job that another process reads is the job that was written, and nothing of it is pickled."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rows import RECIPE, rows_with

from negbench.batching.topics import Topics
from negbench.collections import storage
from negbench.collections.beir import Beir
from negbench.losses.gist import Gist
from negbench.losses.infonce import InfoNCE
from negbench.losses.margin_mse import MarginMSE
from negbench.requirements import GuideTargets, TeacherTargets
from negbench.training.data import Instances
from negbench.training.job import TrainingJob
from negbench.training.job_files import load_job, load_rows, save_job, save_rows
from negbench.training.targets import PairTargets, VectorTargets
from negbench.types import Collection


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@pytest.fixture
def rows(garden: Collection) -> Instances:
    """Return rows with something in every field."""
    rows = rows_with(garden, 2)
    count = len(rows.queries)
    pairs = PairTargets.of_table(
        rows.queries, rows.negatives, np.linspace(0, 1, 2 * count, dtype=np.float32).reshape(-1, 2)
    )
    return replace(
        rows,
        kept=np.arange(count) % 3 > 0,
        further_positives=np.full((count, 1), -1, np.int32),
        targets={TeacherTargets: pairs},
    )


def same(one: Any, other: Any) -> None:
    """Fail where two records of arrays differ, in any field of any record in them."""
    assert type(one) is type(other)
    for field in fields(one):
        values = getattr(one, field.name), getattr(other, field.name)
        if isinstance(values[0], np.ndarray):
            assert values[0].dtype == values[1].dtype, field.name
            np.testing.assert_array_equal(*values, err_msg=field.name)
        elif isinstance(values[0], dict):
            assert values[0].keys() == values[1].keys(), field.name
            for key in values[0]:
                same(values[0][key], values[1][key])
        elif hasattr(values[0], "__dataclass_fields__"):
            same(*values)
        else:
            assert values[0] == values[1], field.name


def test_a_job_is_read_as_it_was_written(garden: Collection, rows: Instances, tmp_path: Path) -> None:
    job = TrainingJob(
        data=rows,
        collection=garden,
        loss=MarginMSE(),
        recipe=RECIPE.model_copy(
            update={"processes": 2, "lora": None, "schedule": "cosine", "learning_rate": 0.1 + 0.2}
        ),
        seed=3,
        batching=Topics(),
        clusters=np.arange(len(rows.keys), dtype=np.int32) % 4,
        step_range=(0.1, 1 / 3),
        documents=np.arange(120, dtype=np.float32).reshape(60, 2),
    )
    save_job(job, tmp_path / "job")
    same(load_job(tmp_path / "job"), job)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".npy", ".json", ".parquet", ""}
    assert [path.read_text() for path in files if not path.suffix] == ["PairTargets"]


def test_what_is_left_out_stays_so(garden: Collection, tmp_path: Path) -> None:
    job = TrainingJob(data=rows_with(garden, 1), collection=garden, loss=InfoNCE(), recipe=RECIPE, seed=0)
    save_job(job, tmp_path / "job")
    same(load_job(tmp_path / "job"), job)


def test_a_stored_collection_is_not_copied(garden: Collection, tmp_path: Path) -> None:
    """Documents that were added to it, such as synthetic negatives, come back as well."""
    storage.save(garden, tmp_path)
    data = rows_with(garden, 1)
    added = [f"written {number}" for number in range(3)]
    longer = replace(
        garden,
        document_ids=[*garden.document_ids, *added],
        titles=[*garden.titles, "", "a rose", ""],
        texts=[*garden.texts, *map(str.upper, added)],
    )
    for name, collection in (("as it is", garden), ("longer", longer)):
        job = TrainingJob(
            data=data, collection=collection, loss=InfoNCE(), recipe=RECIPE, seed=0, stored=tmp_path.absolute()
        )
        save_job(job, tmp_path / name)
        assert not list((tmp_path / name).rglob("*.parquet"))
        same(load_job(tmp_path / name), job)


def test_vectors_of_a_file_are_not_copied(garden: Collection, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.arange(120, dtype=np.float16).reshape(60, 2))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    data = rows_with(garden, 1)
    for name, documents, copied in (("whole", mapped, False), ("some", mapped[10:], True)):
        job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=RECIPE, seed=0, documents=documents)
        save_job(job, tmp_path / name)
        assert (tmp_path / name / "documents.npy").exists() == copied
        np.testing.assert_array_equal(load_job(tmp_path / name).documents, documents)


def test_a_guides_vectors_come_back_as_vectors(rows: Instances, tmp_path: Path) -> None:
    queries, documents = np.unique(rows.queries), np.arange(60, dtype=np.int32)
    ones = [np.ones((len(side), 3), np.float32) for side in (queries, documents)]
    rows = replace(rows, targets={GuideTargets: VectorTargets(queries, ones[0], documents, ones[1])})
    save_rows(rows, tmp_path)
    same(load_rows(tmp_path, Gist().requires), rows)


class Unregistered(InfoNCE):
    """A loss of no file."""


def test_a_loss_that_is_not_registered_is_refused(garden: Collection, tmp_path: Path) -> None:
    """Its spelling is that of the registered one that it is a subclass of."""
    job = TrainingJob(data=rows_with(garden, 1), collection=garden, loss=Unregistered(), recipe=RECIPE, seed=0)
    with pytest.raises(ValueError, match=r"^another process would take infonce for something else: .*Unregistered"):
        save_job(job, tmp_path / "job")
