"""The host's own API below `/admin`: status, functions, keys, and the deployed files."""

from __future__ import annotations

import json
import mimetypes
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from .host import Host, HostState
from .keys import KeyKind
from .origin import origin
from .python_app import Function, Trigger

HOST_VERSION = "4.1036.0.0"
WWWROOT = "site/wwwroot/"
_KEY_KINDS = {"keys": KeyKind.FUNCTION, "systemkeys": KeyKind.SYSTEM, "_master": KeyKind.MASTER}


class AdminApi:
    """Answers with the master key, or with local Azure's internal token."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._began = time.monotonic()

    async def handle(self, request: Request, path: str) -> Response:
        """Answer a request; `path` is what follows `/admin/`."""
        path = path.rstrip("/")
        if path.lower() in ("host/ping", "warmup"):
            return Response(status_code=200)
        if not await self._allowed(request):
            return Response(status_code=401)
        match request.method, path.lower().split("/"):
            case "GET", ["host", "status"]:
                return _json(self._status())
            case "GET", ["functions"]:
                return _json([self._function(request, f) for f in self._host.app.functions.values()])
            case "GET", ["functions", name]:
                return self._one_function(request, name)
            case "GET", ["host", "keys"]:
                return await self._keys()
            case "PUT" | "POST" | "DELETE", ["host", kind, *name] if kind in _KEY_KINDS:
                return await self._change_key(request, _KEY_KINDS[kind], path.split("/")[2] if name else "master")
            case "GET" | "POST", ["functions", name, "keys"]:
                return await self._function_keys(name)
            case "POST", ["host", "synctriggers"]:
                return Response(status_code=204)
            case "GET", ["vfs", *_]:
                return self._file(path[len("vfs/") :])
            case _:
                return Response(status_code=404)

    async def _allowed(self, request: Request) -> bool:
        access = self._host.access
        if access is None:  # not started yet, or AzureWebJobsStorage is missing: there is no master key
            token = self._host.settings.get("LOCAL_AZURE_INTERNAL_TOKEN")
            return bool(token) and request.headers.get("x-local-azure-internal") == token
        return await access.admin(request)

    def _status(self) -> dict[str, Any]:
        host = self._host
        status: dict[str, Any] = {
            "id": (host.site if host.slot.lower() == "production" else f"{host.site}-{host.slot}").lower(),
            "state": host.state.value,
            "version": HOST_VERSION,
            "versionDetails": f"{HOST_VERSION} (local Azure)",
            "platformVersion": "",
            "instanceId": host.settings.get("WEBSITE_INSTANCE_ID") or str(os.getpid()),
            "computerName": "",
            "processUptime": int((time.monotonic() - self._began) * 1000),
            "functionAppContentEditingState": "NotAllowed",
        }
        if host.state is HostState.ERROR:
            status["errors"] = list(host.errors)
        return status

    def _function(self, request: Request, function: Function) -> dict[str, Any]:
        base = origin(request)
        template = None
        if function.trigger_type == Trigger.HTTP:
            route = next((r.template for r, f in self._host.routes if f is function), None)
            template = None if route is None else f"{base}/{route}"
        return {
            "name": function.name,
            "script_root_path_href": f"{base}/admin/vfs/site/wwwroot/",
            "script_href": f"{base}/admin/vfs/site/wwwroot/{function.script}",
            "config_href": None,
            "test_data_href": None,
            "href": f"{base}/admin/functions/{function.name}",
            "invoke_url_template": template,
            "language": "python",
            "config": {"name": function.name, "scriptFile": function.script, "bindings": list(function.bindings)},
            "isDisabled": self._host.is_disabled(function),
            "isDirect": False,
            "isProxy": False,
        }

    def _one_function(self, request: Request, name: str) -> Response:
        function = self._find(name)
        return Response(status_code=404) if function is None else _json(self._function(request, function))

    async def _keys(self) -> Response:
        if self._host.access is None:
            return Response(status_code=503)
        keys = await self._host.access.keys.host_keys()
        # The extension's key shows only once the extension is there.
        system = keys.system if self._host.durable is not None else {}
        return _json({"masterKey": keys.master, "functionKeys": keys.functions, "systemKeys": system})

    async def _change_key(self, request: Request, kind: KeyKind, name: str) -> Response:
        if self._host.access is None:
            return Response(status_code=503)
        keys = self._host.access.keys
        if request.method == "DELETE":
            return Response(status_code=204 if await keys.delete(kind, unquote(name)) else 404)
        body = await request.body()
        wanted = json.loads(body).get("value") if body else None
        value, is_new = await keys.put(kind, unquote(name), wanted)
        return _json({"name": unquote(name), "value": value}, 201 if is_new else 200)

    async def _function_keys(self, name: str) -> Response:
        function = self._find(name)
        if function is None or self._host.access is None:
            return Response(status_code=404)
        return _json(await self._host.access.keys.function_keys(function.name))

    def _find(self, name: str) -> Function | None:
        return next((f for f in self._host.app.functions.values() if f.name.lower() == name.lower()), None)

    def _file(self, path: str) -> Response:
        root = self._host.root
        relative = unquote(path).removeprefix("home/")
        if root is None or not relative.startswith(WWWROOT):
            return Response(status_code=404)
        place = (root / relative.removeprefix(WWWROOT)).resolve()
        if not place.is_relative_to(root) or not place.is_file():
            return Response(status_code=404)
        return Response(place.read_bytes(), media_type=_media_type(place))


def _media_type(place: Path) -> str:
    return mimetypes.guess_type(place.name)[0] or "application/octet-stream"


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status_code=status, media_type="application/json")
