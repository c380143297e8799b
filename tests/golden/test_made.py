from __future__ import annotations

from pathlib import Path

import pytest
from made import MADE, ROOT


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_made_file_is_what_the_code_makes(path: Path) -> None:
    behind = f"{path.relative_to(ROOT)} is behind the code: run `make golden`, and read what changed"
    assert path.read_text(encoding="utf-8") == MADE[path](), behind
