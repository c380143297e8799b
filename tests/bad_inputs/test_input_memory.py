"""What expands takes little memory before it is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grids
import places
import pytest
from case import Case

MOST_MB = 500
"""Most megabytes of a whole process, of which Python and its libraries take 100 to 300."""

EXPANDING = [
    *(case for case in places.packed_files() if "100 MB" in case.name),
    *(case for case in grids.texts_that_are_no_grid() if "expansion" in case.name or "values" in case.name),
    *(case for case in grids.keys_that_do_not_fit() if "points" in case.name),
]

CODE = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"


@pytest.mark.slow
@pytest.mark.parametrize("case", EXPANDING, ids=lambda case: case.name)
def test_what_expands_is_refused_before_it_fills_the_memory(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    with (tmp_path / "said").open("w") as said:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {CODE}", *case.arguments],
            {**os.environ, "NEGBENCH_STORE": str(tmp_path / "store")},
            file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)],
        )
        _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 2, (tmp_path / "said").read_text()
    assert "Traceback" not in (tmp_path / "said").read_text()
    assert usage.ru_maxrss / 1024 < MOST_MB
