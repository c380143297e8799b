"""Processes of two machines on one store: each child has a host name of its own, so that nobody probes its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import Timeout

from negbench.store import Store, leases, usage
from negbench.store.leases import Lease, is_held

MACHINE = textwrap.dedent("""
    import os, socket, sys
    from dataclasses import dataclass
    from pathlib import Path

    name, exchange, seconds = sys.argv[3:6]
    socket.gethostname = lambda: name
    import filelock._soft
    from negbench import store as stores
    from negbench.store import leases

    leases.SECONDS = float(seconds)
    if exchange == "refused":  # as by NFS
        filelock._soft.exchange_names = lambda *_: False

    @dataclass(frozen=True, eq=False)
    class Slow(stores.Stage):
        kind = "slow"
        def run(self, path_of, out):
            (out / "half").write_text("half")
            with open(sys.argv[2], "a") as log:
                log.write(name + "\\n")
            print("running", flush=True)
            sys.stdin.read()  # until the other end closes
            (out / "result").write_text(name)
            return {}

    class Telling(leases.Lease):
        def _is_silent(self):
            if not hasattr(self, "told"):
                self.told = print("blocked", flush=True)
            return super()._is_silent()

    stores.Lease = Telling
    store = stores.Store(Path(sys.argv[1]))
    print((store.ensure(Slow()) / "result").read_text(), flush=True)
    print(*sorted(os.listdir(store.path(Slow()))), flush=True)
""")


SECONDS = 2  # a machine that is only slow, as under test, has to show more often that it lives


def machine(name: str, root: Path, log: Path, exchange: str = "supported", seconds: int = 60) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MACHINE, str(root), str(log), name, exchange, str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def let_finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def test_two_machines_make_a_stage_once(two_paths: tuple[Path, Path], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with machine("one", two_paths[0] / "store", log) as one:
        assert said(one) == "running"
        with machine("two", two_paths[1] / "store", log) as two:
            assert said(two) == "blocked"
            let_finish(one)
            assert said(one) == said(two) == "one"
    assert log.read_text() == "one\n"
    assert not list((two_paths[0] / "store/locks").iterdir())


@pytest.mark.parametrize("exchange", ["supported", "refused"])
def test_the_stage_of_a_dead_machine_is_taken_over(two_paths: tuple[Path, Path], tmp_path: Path, exchange: str) -> None:
    log = tmp_path / "log"
    with machine("one", two_paths[0] / "store", log, exchange, SECONDS) as one:
        assert said(one) == "running"
        with machine("two", two_paths[1] / "store", log, exchange, SECONDS) as two:
            assert said(two) == "blocked"
            one.kill()
            assert said(two) == "running"
            let_finish(two)
            assert said(two) == "two"
            assert said(two) == "half result stage.json"
    assert log.read_text() == "one\ntwo\n"
    assert not list((two_paths[0] / "store/drafts").iterdir())


@pytest.mark.parametrize("exchange", ["supported", pytest.param("refused", marks=pytest.mark.slow)])
@pytest.mark.parametrize("first_to_end", ["one", "two"])
def test_a_machine_that_was_only_asleep_gives_way(
    two_paths: tuple[Path, Path], tmp_path: Path, first_to_end: str, exchange: str
) -> None:
    """Whichever is first to end, the artifact is whole and that of the one that holds the lease."""
    log = tmp_path / "log"
    with machine("one", two_paths[0] / "store", log, exchange, SECONDS) as one:
        assert said(one) == "running"
        one.send_signal(signal.SIGSTOP)
        with machine("two", two_paths[1] / "store", log, exchange, SECONDS) as two:
            assert said(two) == "blocked"
            assert said(two) == "running"
            if first_to_end == "two":
                let_finish(two)
                assert said(two) == "two"
            one.send_signal(signal.SIGCONT)
            let_finish(one)
            if first_to_end == "one":
                assert said(one) == "blocked"
                let_finish(two)
                assert said(two) == "two"
            assert said(one) == "two"
            assert said(one) == said(two) == "half result stage.json"
    assert (one.returncode, two.returncode) == (0, 0)
    assert log.read_text() == "one\ntwo\n"
    assert not list((two_paths[0] / "store/drafts").iterdir())


def _of_another_machine(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"filelock/2\npid={os.getpid()}\nhost=far\nmode=lease\ntoken=t\nduration={leases.SECONDS!r}\n")


def test_one_look_at_a_lease_of_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "far.lease"
    _of_another_machine(path)
    assert is_held(path)
    now = path.stat().st_mtime
    os.utime(path, (now, now - leases.GONE_SECONDS + 60))
    assert is_held(path)
    os.utime(path, (now, now - leases.GONE_SECONDS - 60))
    assert not is_held(path)
    assert os.listdir(tmp_path) == []


def test_a_lease_is_waited_for_no_longer_than_told(tmp_path: Path) -> None:
    _of_another_machine(tmp_path / "far.lease")
    with pytest.raises(Timeout), Lease(tmp_path / "far.lease").hold(0.01):
        pass


def test_results_are_found_beside_a_store_with_another_mount(two_paths: tuple[Path, Path]) -> None:
    first, second = two_paths
    (first / "results").mkdir()
    with usage.recorded(Store(first / "store"), "garden", first / "results", []):
        pass
    (record,) = (first / "store/grids").glob("*.json")
    record.write_text(record.read_text().replace(str(first), "/nowhere"))
    (use,) = usage.uses(Store(second / "store"))
    assert use.counts
    assert use.results.is_dir()


@pytest.mark.parametrize(
    ("folder", "machine", "counts"),
    [("/nowhere/results", "far", True), ("results", "far", False), ("/nowhere/results", None, False)],
)
def test_results_that_are_not_here_count_if_they_may_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, machine: str | None, counts: bool
) -> None:
    with monkeypatch.context() as patch:
        if machine is not None:
            patch.setattr("negbench.store.usage.platform.node", lambda: machine)
        with usage.recorded(Store(tmp_path / "store"), "garden", tmp_path / folder, []):
            pass
    assert [use.counts for use in usage.uses(Store(tmp_path / "store"))] == [counts]
