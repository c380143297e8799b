"""Two hosts on one machine: namespaces with a network, a name and process numbers of their own, joined by a cable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

# Each host reads the names of both, and asks no name server. It ends with its standard input, so with the tests.
INIT = 'hostname "$0" && mount --bind "$1" /etc/hosts && mount --bind /dev/null /etc/resolv.conf && echo up && exec cat'


@dataclass(frozen=True)
class Host:
    """A host whose first process is ``init``; all others end with it, as where the power fails."""

    name: str
    address: str
    init: int

    def start(self, command: list[str], here: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a command on this host, in the folder ``here``."""
        enter = ["nsenter", "--target", str(self.init), "--net", "--uts", "--pid", "--mount", "env", "--chdir", here]
        return subprocess.Popen(
            [*enter, *command],
            env={**os.environ, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def kill(self) -> None:
        """End all processes of this host at once."""
        psutil.Process(self.init).kill()


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Give two hosts that see all files of this machine, and one another by name; skip where this is not allowed."""
    addresses = {"first": "10.77.0.1", "second": "10.77.0.2"}
    names = folder / "hosts"
    names.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items()))
    unshare = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with ExitStack() as stack:
        hosts = []
        for name, address in addresses.items():
            process = stack.enter_context(
                subprocess.Popen(
                    [*unshare, "sh", "-c", INIT, name, names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            assert process.stdout is not None
            if process.stdout.readline() != "up\n":
                pytest.skip("this process may not make namespaces")
            (init,) = psutil.Process(process.pid).children()
            hosts.append(Host(name, address, init.pid))
        one, two = hosts
        cable = ["ip", "link", "add", "cable", "netns", str(one.init), "type", "veth", "peer", "cable"]
        if subprocess.run([*cable, "netns", str(two.init)]).returncode:
            pytest.skip("this kernel has no veth")
        for host in hosts:
            inside = ["nsenter", "--target", str(host.init), "--net", "ip"]
            subprocess.run([*inside, "address", "add", f"{host.address}/24", "dev", "cable"], check=True)
            for link in ("lo", "cable"):
                subprocess.run([*inside, "link", "set", link, "up"], check=True)
        yield one, two
