"""A server of chat completions on loopback that answers as a test tells it to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[str, int], tuple[int, str | bytes | dict[str, Any]] | None]


def completion(content: str | None, end: str | None = "stop", **more: Any) -> dict[str, Any]:
    """Return a reply as OpenAI's server gives it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": end}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


class Server:
    """Speaks chat completions; ``behave`` gives (status, content) for a question's text and how often it came.

    Content that is no text is the reply as a whole. None hangs until the client has gone.
    """

    def __init__(self) -> None:
        self.behave: Behaviour = lambda text, times: (200, "score: 2")
        self.asked: Counter[str] = Counter()
        self.heard: list[dict[str, Any]] = []
        self.over = threading.Event()
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = body["messages"][-1]["content"]
                with lock:
                    server.asked[text] += 1
                    server.heard.append({**body, "key": self.headers["Authorization"]})
                    times = server.asked[text]
                found = server.behave(text, times)
                if found is None:
                    server.over.wait(30)
                    return
                status, content = found
                reply = completion(content) if isinstance(content, str) else content
                if status != 200:
                    reply = {"error": {"message": content}}
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if status == 429:
                    self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
