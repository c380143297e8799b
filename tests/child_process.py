"""The command line in a process of its own, for what a process reads when it starts: installed packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CODE = """
import sys
from negbench import tracking
from negbench.cli import main
from negbench.tracking import background

background.import_client = lambda: None
tracking.log_grid = lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked")
sys.argv[0] = "negbench"
main()
"""


def negbench(environment: Mapping[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command without MLflow, whose import and first database take longer than a tiny grid."""
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
