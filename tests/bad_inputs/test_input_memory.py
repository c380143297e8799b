"""What expands takes little memory before it is refused."""

from __future__ import annotations

import os
import subprocess
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
LAUNCHER = f"""
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-c", {CODE!r}, *sys.argv[1:]])
print("kilobytes:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""A small process between the two: Linux counts the memory of who starts a process as the process's own at first."""


@pytest.mark.slow
@pytest.mark.parametrize("case", EXPANDING, ids=lambda case: case.name)
def test_what_expands_is_refused_before_it_fills_the_memory(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    command = [sys.executable, "-c", LAUNCHER, *case.arguments]
    environment = {**os.environ, "NEGBENCH_STORE": str(tmp_path / "store")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said, _, kilobytes = done.stderr.rpartition("kilobytes:")
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert int(kilobytes) / 1024 < MOST_MB
