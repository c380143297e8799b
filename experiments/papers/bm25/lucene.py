"""BM25 as Anserini's flat index has it: Lucene's English analyser, k1 0.9, b 0.4, document lengths in one byte.

The analyser is written after Lucene's documentation and the algorithms that it names: words by Unicode Annex 29, "'s"
removed, lower case, Lucene's 33 stop words, Porter's stemmer with its author's two later departures.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from functools import cache

import ir_measures
import numpy as np
import regex
import Stemmer

from negbench.collections.resolve import source_of
from negbench.types import Collection

STOP_WORDS = frozenset(
    regex.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they "
        "this to was will with",
    )
)
LETTER, DIGIT = r"[\p{L}\p{M}]", r"\p{Nd}"
WORD = regex.compile(
    rf"(?:{LETTER}|\p{{N}}|_|(?<={LETTER})[.:·'’](?={LETTER})|(?<={DIGIT})[.,;'’](?={DIGIT}))+", regex.UNICODE
)
REPEATED = regex.compile(r"[aeiouy]+[^aeiouy]")
"""A vowel before a consonant, which Porter's rules count."""
K1, B = 0.9, 0.4


@cache
def stem(word: str) -> str:
    """Return Porter's stem; ``bli`` and ``logi`` end as his later version has them."""
    if len(word) <= 2:
        return word
    if word.endswith("bly") and REPEATED.search(word[:-3]):
        word = word[:-1] + "e"
    for end in ("logy", "logies"):
        if word.endswith(end) and REPEATED.search(word.removesuffix(end)):
            word = word.removesuffix(end) + "log"
    return str(STEMMER.stemWord(word))


STEMMER = Stemmer.Stemmer("porter")


def terms(text: str) -> list[str]:
    """Return a text's terms in order, as Lucene's English analyser makes them."""
    words = (regex.sub(r"['’][sS]$", "", word).lower() for word in WORD.findall(text))
    return [stem(word) for word in words if word not in STOP_WORDS]


def stored_length(length: int) -> int:
    """Return a document's length as it is read back from one byte: exact below 40, then to four significant bits."""
    if length < 24:
        return length
    shift = max((length - 24).bit_length() - 4, 0)
    return 24 + ((length - 24) >> shift << shift)


def search(collection: Collection, split: str, depth: int = 1000) -> dict[str, dict[str, float]]:
    """Return the highest documents by query id, with their ranks below 0 as scores, which leave no ties.

    Anserini breaks ties by document id, in ascending order.
    """
    by_id = np.argsort(np.argsort(collection.document_ids))
    documents = [Counter(terms(text)) for text in collection.passages()]
    lengths = [sum(counts.values()) for counts in documents]
    mean = sum(lengths) / sum(length > 0 for length in lengths)
    norms = [K1 * (1 - B + B * stored_length(length) / mean) for length in lengths]
    postings: dict[str, list[tuple[int, float]]] = {}
    for row, counts in enumerate(documents):
        for term, count in counts.items():
            postings.setdefault(term, []).append((row, count / (count + norms[row])))
    found = {}
    for query in collection.split_queries(split).tolist():
        scores = np.zeros(len(documents))
        for term, times in Counter(terms(collection.queries[query])).items():
            of_term = postings.get(term, [])
            rarity = np.log(1 + (len(documents) - len(of_term) + 0.5) / (len(of_term) + 0.5))
            for row, weight in of_term:
                scores[row] += times * rarity * weight
        best = np.lexsort((by_id, -scores.astype(np.float32)))[:depth].tolist()
        found[collection.query_ids[query]] = {
            collection.document_ids[row]: -float(rank) for rank, row in enumerate(best) if scores[row] > 0
        }
    return found


def measure(name: str) -> list[tuple[str, str, str, str, float]]:
    """Return the lines of the CSV file for a collection under NEGBENCH_DATA."""
    collection = source_of(name).load()
    run = search(collection, "test")
    qrels: dict[str, dict[str, int]] = {}
    for query, document, grade in collection.qrels["test"].triples():
        qrels.setdefault(collection.query_ids[query], {})[collection.document_ids[document]] = grade
    values = ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, run)
    by_query = {it.query_id: it.value for it in values}
    queries = [collection.query_ids[row] for row in collection.split_queries("test").tolist()]
    return [(f"lucene-{name}", "nDCG@10", "", f"{name}/{query}", by_query.get(query, 0.0)) for query in queries]


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "measure", "seed", "query", "value"])
        for name in ("scifact", "nfcorpus"):
            writer.writerows(measure(name))
