"""Reading and writing of false-negative breakdowns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from negbench.evaluation.shares import Share

Details = Mapping[str, Mapping[str, Share]]
"""Shares by group, as in ``rank``, and by name within it, as in ``1-4``."""


def write(details: Details, out: Path) -> None:
    """Write ``details.json`` with the reference of each share, and the clusters of each group as ``GROUP.npy``."""
    references = {group: {name: share.reference for name, share in shares.items()} for group, shares in details.items()}
    (out / "details.json").write_text(json.dumps(references, indent=1) + "\n")
    for group, shares in details.items():
        if shares:
            np.save(out / f"{group}.npy", np.stack([share.clusters for share in shares.values()]), allow_pickle=False)


def read(folder: Path) -> dict[str, dict[str, Share]]:
    """Read what ``write`` wrote."""
    details: dict[str, dict[str, Share]] = {}
    for group, shares in json.loads((folder / "details.json").read_text()).items():
        clusters = np.load(folder / f"{group}.npy", allow_pickle=False) if shares else ()
        details[group] = {
            name: Share(one, reference) for (name, reference), one in zip(shares.items(), clusters, strict=True)
        }
    return details
