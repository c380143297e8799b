"""A headless Chromium that is told what to do over a pipe: real keys, real requests, screenshots."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

FOUND = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0


class Chromium:
    """A browser with one tab; a context manager.

    It speaks the DevTools protocol: JSON messages, each ended by a zero byte, on the descriptors 3 and 4.
    """

    def __init__(self, profile: Path) -> None:
        assert FOUND is not None
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()
        far = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]

        def place() -> None:
            os.dup2(far[0], 3)
            os.dup2(far[1], 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [FOUND, *flags, f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=place,
        )
        for end in (theirs_in, theirs_out, *far):
            os.close(end)
        self._buffer, self._number, self._session = b"", 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = ""
        self.call("Browser.close")
        self._process.wait(PATIENCE)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what the browser answers; what else it says is passed over."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            head, end, rest = self._buffer.partition(b"\0")
            if not end:
                more = os.read(self._in, 1 << 16)
                assert more, "the browser is gone"
                self._buffer += more
                continue
            self._buffer = rest
            said = json.loads(head)
            if said.get("id") == self._number:
                assert "error" not in said, said
                result = said["result"]
                assert isinstance(result, dict)
                return result

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """Make the window so many pixels large, and the machine's colours light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def value(self, script: str) -> Any:
        """Return what an expression of the page is worth; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression of the page is true: its own frames are the clock."""
        began = time.monotonic()
        while not self.value(f"new Promise(done => requestAnimationFrame(() => done(Boolean({script}))))"):
            assert time.monotonic() - began < PATIENCE, script

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
