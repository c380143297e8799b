"""A folder that is seen under two paths: two mounts where this process may mount, else a link."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def two_paths(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    mounted = subprocess.run(["mount", "--bind", first, second], capture_output=True).returncode == 0
    if not mounted:
        second.rmdir()
        second.symlink_to(first)
    yield first, second
    if mounted:
        subprocess.run(["umount", "--lazy", second], check=True)
