"""The matrix between an encoder's vectors and those of a teacher that have another dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from negbench.encoders.encode import encode_as_is
from negbench.requirements import TeacherMatch
from negbench.training.targets import VectorTargets

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from negbench.training.data import Collator


def projection(model: SentenceTransformer, collator: Collator) -> Tensor | None:
    """Return the matrix float32 [d, m] that takes the model's vectors nearest to a teacher's.

    Its columns, or its rows where these are fewer, are orthonormal: the solution of the orthogonal Procrustes problem
    for all texts that ``collator`` has tokenised. A least-squares solution would follow small differences between
    vectors, which training moves. None without a teacher, and where both have one dimension.
    """
    import torch

    targets = collator.data.targets.get(TeacherMatch)
    if targets is None:
        return None
    assert isinstance(targets, VectorTargets), "a teacher's vectors are stored as vectors"
    if targets.query_vectors.shape[1] == model.get_embedding_dimension():
        return None
    own = {side: encode_as_is(model, tokens) for side, tokens in collator.tokens.items()}
    if collator.documents is not None:
        own["document"] = np.asarray(collator.documents[targets.documents], np.float32)
    read = collator.rows.get("document", targets.documents)
    queries, documents = targets.vectors(collator.rows["query"], read)
    left = np.concatenate([own["query"], own["document"]]).astype(np.float64)
    rotation, _, back = np.linalg.svd(left.T @ np.concatenate([queries, documents]), full_matrices=False)
    return torch.from_numpy((rotation @ back).astype(np.float32))
