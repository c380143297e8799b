"""Quality on dev while a training runs."""

from __future__ import annotations

import numpy as np

from negbench.collections.helpdesk import Helpdesk
from negbench.stages.training.curve import DOCUMENTS, QUERIES, dev_sample


def test_a_part_holds_every_positive_and_follows_from_ids() -> None:
    collection = Helpdesk(articles=1500, queries=300, dev=250, test=40).load()
    queries, documents = dev_sample(collection, "dev")
    labels = collection.qrels["dev"].at_least(1)
    assert len(queries) == min(QUERIES, len(collection.split_queries("dev")))
    assert len(documents) == DOCUMENTS
    assert np.isin(labels.documents[np.isin(labels.queries, queries)], documents).all()
    again = dev_sample(collection, "dev")
    np.testing.assert_array_equal(queries, again[0])
    np.testing.assert_array_equal(documents, again[1])
    assert (np.diff(queries) > 0).all()
    assert (np.diff(documents) > 0).all()


def test_a_small_collection_is_taken_whole() -> None:
    collection = Helpdesk(articles=100, queries=40, dev=10, test=10).load()
    queries, documents = dev_sample(collection, "dev")
    assert queries.tolist() == collection.split_queries("dev").tolist()
    assert documents.tolist() == list(range(len(collection.document_ids)))
