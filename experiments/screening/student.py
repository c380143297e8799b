"""Make the static student: a vector for each token of a sentence-transformers model, cut to its principal components.

    python experiments/screening/student.py FOLDER

Writes a model of static embeddings to FOLDER. Its token vectors are the input embeddings of all-MiniLM-L6-v2, the table
that the transformer's layers stand on, in their first 128 principal components. A text's vector is the mean over its
tokens: there is no attention, and no order of words.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from negbench.encoders import weights
from negbench.types import Float32

MODEL = "all-MiniLM-L6-v2"
DIMENSIONS = 128


def principal(table: Float32, dimensions: int) -> Float32:
    """Return the first principal components [n, dimensions] of the rows of ``table`` [n, d], largest variance first.

    Each has the sign that makes the sum of its loadings positive or 0, so that two machines agree.
    """
    centred = table.astype(np.float64) - table.mean(axis=0, dtype=np.float64)
    loadings = np.linalg.svd(centred, full_matrices=False)[2][:dimensions]  # [dimensions, d]
    loadings *= np.where(loadings.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return (centred @ loadings.T).astype(np.float32)


def main() -> None:
    """Write the student."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    whole = SentenceTransformer(str(weights.locate(MODEL)))
    tokenizer = whole.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    table = whole[0].auto_model.get_input_embeddings().weight.detach().numpy()
    student = SentenceTransformer(modules=[StaticEmbedding(tokenizer, principal(table, DIMENSIONS))])
    student.similarity_fn_name = "cosine"
    student.save_pretrained(str(folder), create_model_card=False)
    print(f"{folder}: {table.shape[0]} tokens, {DIMENSIONS} of {table.shape[1]} dimensions")


if __name__ == "__main__":
    main()
