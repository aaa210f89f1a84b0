"""A Functions host for tests of local Azure's main process: the contract's HTTP, no functions, up in a moment.

What it does is said by files of its content: `version.txt` (named in each answer), `exit.txt` (ends at its start),
`ping-status.txt` (status of GET /warm).
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

content = Path(sys.argv[sys.argv.index("--content") + 1])


def read(name: str) -> str | None:
    if content.is_file():
        import zipfile

        with zipfile.ZipFile(content) as package:
            return package.read(name).decode() if name in package.namelist() else None
    return (content / name).read_text() if (content / name).is_file() else None


VERSION = read("version.txt") or "none"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def allowed(self) -> bool:
        return self.headers.get("x-local-azure-internal") == os.environ["LOCAL_AZURE_INTERNAL_TOKEN"]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if url.path.startswith("/admin/") and url.path != "/admin/host/ping" and not self.allowed():
            return self.answer(401, {})
        if url.path == "/admin/host/status":
            return self.answer(200, {"state": "Running", "version": VERSION})
        if url.path == "/admin/functions":
            return self.answer(200, [{"name": f"Function_{VERSION.replace('.', '_')}", "config": {"bindings": []}}])
        if url.path == "/admin/host/keys":
            slot = os.environ["WEBSITE_SLOT_NAME"]
            return self.answer(200, {"masterKey": f"m-{slot}", "functionKeys": {"default": "f"}, "systemKeys": {}})
        if url.path == "/warm":
            return self.answer(int(read("ping-status.txt") or 200), {})
        if "sleep" in query:
            time.sleep(float(query["sleep"][0]))
        return self.answer(
            200,
            {
                "version": VERSION,
                "pid": os.getpid(),
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "size": len(body),
                "environment": dict(os.environ) if url.path == "/environment" else {},
            },
        )

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


if __name__ == "__main__":
    if read("exit.txt"):
        print(read("exit.txt"), flush=True)
        sys.exit(3)
    server = Server(("127.0.0.1", 0), Handler)
    print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
