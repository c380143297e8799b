"""What a result was made with: Python, packages, and the commit of negbench."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "sentence-transformers", "transformers", "voyager", "bm25s", "ir-measures", "numpy")
"""Packages that figures depend on, beside negbench."""


@cache
def versions() -> dict[str, str]:
    """Return the versions in this process; negbench's has the commit in brackets where it runs from a checkout."""
    built_from = commit()
    ours = version("negbench") + (
        f" ({built_from[:12]}{'+' if built_from.endswith('+') else ''})" if built_from else ""
    )
    return {"python": platform.python_version(), "negbench": ours, **{name: version(name) for name in PACKAGES}}


def commit() -> str | None:
    """Return the commit of the checkout that negbench runs from, with a + where the package has local changes."""
    here = Path(__file__).parent
    try:
        # installed into an environment inside somebody's own checkout, the commit would be theirs
        ours = subprocess.run(
            ["git", "ls-files", "--error-unmatch", __file__], cwd=here, capture_output=True, check=False
        )
        if ours.returncode != 0:
            return None
        process = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
        state = ["git", "status", "--porcelain", "--untracked-files=no", "--", "."]
        changed = subprocess.run(state, cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return None
    if process.returncode != 0:
        return None
    return process.stdout.strip() + ("+" if changed.stdout.strip() else "")
