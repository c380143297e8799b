"""Match judgments with the queries and documents of a collection.

Judgments often name missing documents: ArguAna's in BEIR name five documents that its corpus lacks, and a reduced
corpus keeps the judgments of the full one. These judgments are left out and counted. No retriever can find such a
document, so it is ignored in all measures; trec_eval includes it in the ideal ranking and in the denominator of recall,
and gives lower values. Ids that differ only in their spelling, and judgments without any match, are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from negbench.collections.checks import Judgment, Records
from negbench.collections.splits import SPLIT_NAMES, Triple
from negbench.errors import InputError
from negbench.types import Qrels

_WRITTEN_AS_NUMBER = re.compile(r"0*([0-9]+)(?:\.0+)?")


class Held(NamedTuple):
    """The rows of the queries and documents by id, and the places that they were read from."""

    queries: Mapping[str, int]
    documents: Mapping[str, int]
    queries_place: str
    documents_place: str


def matched(records: Records[Judgment], split: str, held: Held) -> tuple[list[Triple], list[str]]:
    """Return the matched judgments as (query row, document row, grade), and sentences on those left out.

    Raises InputError for ids that differ only in spelling, without any match, and without any positive.
    """
    triples: list[Triple] = []
    without_query, without_document = [], []
    total = 0
    for total, judgment in enumerate(records.entries, 1):  # noqa: B007
        query, document = held.queries.get(judgment.query), held.documents.get(judgment.document)
        if query is None:
            without_query.append(judgment)
        elif document is None:
            without_document.append(judgment)
        else:
            triples.append((query, document, judgment.grade))
    _check_ids(without_query + without_document, total, bool(triples), held)
    positive = {query for query, _, grade in triples if grade > 0}
    if not positive:
        reason = "no judgment with a score above 0" if total else "no judgments"
        of = " of a query and document of this collection" if without_query or without_document else ""
        raise InputError(f"{records.place}: {reason}{of}; fill this split or remove it")
    relevant = [judgment for judgment in without_document if judgment.grade > 0]
    lost = {held.queries[judgment.query] for judgment in relevant} - positive
    notes = _left_out(without_query, split, "query")
    notes += [sentence + _compared(len(relevant)) for sentence in _left_out(without_document, split, "document")]
    notes += note(
        len(lost),
        f"query of {split} has no positive in the corpus and is not evaluated",
        f"queries of {split} have no positive in the corpus and are not evaluated",
    )
    return triples, notes


def fuller(
    truth: Mapping[str, Records[Judgment]],
    given: Mapping[str, Sequence[Triple]],
    judged: Mapping[str, Sequence[Triple]],
    held: Held,
) -> tuple[dict[str, Qrels], list[str]]:
    """Return the positives of qrels and truth of each split, and sentences on judgments left out.

    ``given`` are the splits of the files, ``judged`` those after carving. Fuller judgments may cover more than the
    collection. Raises InputError for ids that differ only in spelling, and without any match.
    """
    known: dict[str, list[Triple]] = {}
    notes = []
    for file_split, records in truth.items():
        split, total = SPLIT_NAMES.get(file_split, file_split), 0
        members = {row for row, _, _ in given[split]}
        known[split], absent = [], []
        for total, judgment in enumerate(records.entries, 1):  # noqa: B007
            query, document = held.queries.get(judgment.query), held.documents.get(judgment.document)
            if query is None or document is None:
                absent.append(judgment)
            elif query in members:
                known[split].append((query, document, judgment.grade))
        _check_ids(absent, total, len(absent) < total, held)
        if not known[split]:
            raise InputError(
                f"{records.place}: none of its {total} judgments is about a query of the split {split}; give "
                "judgments of its queries"
            )
        notes += note(
            total - len(known[split]),
            f"truth judgment of {split} names a query or document outside the split and is left out",
            f"truth judgments of {split} name a query or document outside the split and are left out",
        )
    qrels = {}
    for split, rows in judged.items():
        origin = split if split in given else "train"  # a carved split takes its queries' truth along
        if origin in known:
            members = {row for row, _, _ in rows}
            both = [*rows, *(triple for triple in known[origin] if triple[0] in members)]
            qrels[split] = Qrels.of([triple for triple in both if triple[2] > 0])
    return qrels, notes


def note(count: int, one: str, many: str) -> list[str]:
    """Return a sentence with its count; empty for 0."""
    return [f"{count} {one if count == 1 else many}"] if count else []


def _check_ids(absent: Sequence[Judgment], total: int, any_held: bool, held: Held) -> None:
    """Raise InputError if a missing id differs only in spelling from an existing one, or if nothing matches."""
    if not absent:
        return
    kinds = (("query", held.queries, held.queries_place), ("document", held.documents, held.documents_place))
    for kind, rows, place in kinds:
        named: dict[str, Judgment] = {}
        for judgment in absent:
            named.setdefault(getattr(judgment, kind), judgment)
        near = _written_otherwise([name for name in named if name not in rows], rows)
        for name, judgment in named.items():
            if name in near:
                raise InputError(
                    f"{judgment.place}: the judged {kind} {name!r} does not exist in {place}, but {near[name]!r} does; "
                    "ids are compared as text, with zeros and spaces: write them the same way in both"
                )
    if not any_held:
        first = absent[0]
        raise InputError(
            f"{first.place}: none of the {total} judgments is about a query and document held here; this one has "
            f"query {first.query!r} and document {first.document!r}, while {held.queries_place} has queries like "
            f"{next(iter(held.queries))!r} and {held.documents_place} documents like {next(iter(held.documents))!r}; "
            "use the same ids"
        )


def _written_otherwise(absent: Iterable[str], rows: Mapping[str, int]) -> dict[str, str]:
    """Return for each missing id the existing one that differs in leading zeros, a fraction .0 or outer white space."""
    bare = {name: _bare(name) for name in absent}
    wanted = set(bare.values())
    held = {_bare(name): name for name in rows if _bare(name) in wanted} if wanted else {}
    return {name: held[plain] for name, plain in bare.items() if plain in held}


def _bare(name: str) -> str:
    number = _WRITTEN_AS_NUMBER.fullmatch(name.strip())
    return number[1] if number else name.strip()


def _left_out(judgments: Sequence[Judgment], split: str, what: str) -> list[str]:
    first = getattr(judgments[0], what) if judgments else ""
    return note(
        len(judgments),
        f"judgment of {split} names an unknown {what} and is left out ({first!r})",
        f"judgments of {split} name an unknown {what} and are left out (the first is {first!r})",
    )


def _compared(relevant: int) -> str:
    """Return the phrase on the difference to trec_eval for this many missing relevant documents; empty for 0."""
    if not relevant:
        return ""
    are = "1 is relevant and" if relevant == 1 else f"{relevant} are relevant and"
    return f"; {are} left out of nDCG and recall, where trec_eval would count a document as not retrieved"
