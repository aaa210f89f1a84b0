"""HTTP of a slot's deployment endpoint: push, status, logs, deployed files."""

from __future__ import annotations

import base64
import binascii
import hmac
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local_azure.deployment.history import Deployment, DeployStatus
from local_azure.deployment.volume import BadPackage, check_archive
from local_azure.deployment.zip_deploy import DeploymentRefused, ZipDeployer
from local_azure.deployment.zip_deploy import Request as Push
from local_azure.errors import AzureError

if TYPE_CHECKING:
    from local_azure.cloud import Cloud

Handler = Callable[[Request], Awaitable[Response]]


def publishing_user(site_name: str, slot_name: str) -> str:
    """Name of a slot's publishing user."""
    return f"${site_name}" if slot_name == "production" else f"${site_name}__{slot_name}"


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


class DeploymentEndpoint:
    """One slot's deployment endpoint; `application` is its ASGI application."""

    def __init__(self, cloud: Cloud, site_name: str, slot_name: str) -> None:
        self._cloud = cloud
        self._site_name = site_name
        self._slot_name = slot_name
        self.deployer = ZipDeployer(cloud, site_name, slot_name, deployed=cloud.deployed)
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/", self._home),
            ("POST", "/api/zipdeploy", self._zip_deploy),
            ("PUT", "/api/zipdeploy", self._zip_deploy),
            ("POST", "/api/zipdeploy/validate", self._validate),
            ("POST", "/api/publish", self._publish),
            ("GET", "/api/isdeploying", self._is_deploying),
            ("GET", "/api/deployments", self._list),
            ("GET", "/api/deployments/{id}", self._get),
            ("DELETE", "/api/deployments/{id}", self._delete),
            ("GET", "/api/deployments/{id}/log", self._log),
            ("GET", "/api/deployments/{id}/log/{entry}", self._log_entry),
            ("GET", "/api/settings", self._settings),
            ("GET", "/api/vfs/{path:path}", self._vfs),
        ]
        self.application = Starlette(
            routes=[Route(path, self._guarded(handler), methods=[method]) for method, path, handler in routes]
        )

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not self._may(request.headers.get("authorization")):
                return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="site"'})
            return await handler(request)

        return guarded

    def _may(self, authorization: str | None) -> bool:
        """Publishing credentials, or a token of the Resource Manager."""
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            try:
                self._cloud.tokens.check(authorization)
            except AzureError:
                return False
            return True
        slot = self._cloud.site(self._site_name).slots[self._slot_name]
        if slot.properties.get("scmBasicAuth") is False:
            return False
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        known = publishing_user(self._site_name, self._slot_name)
        return user.lower() == known.lower() and hmac.compare_digest(
            password.encode(), slot.publishing_password.encode()
        )

    # push

    async def _zip_deploy(self, request: Request) -> Response:
        push = Push.of(request.query_params, deployer="Push-Deployer")
        return await self._push(request, push, asynchronous=_flag(request, "isAsync"))

    async def _publish(self, request: Request) -> Response:
        kind = request.query_params.get("type", "zip").lower()
        if kind != "zip":
            return PlainTextResponse(f"Artifact type '{kind}' is not supported here: zip only.", 400)
        push = Push.of(request.query_params, deployer="OneDeploy")
        plan = self._cloud.plan_of(self._cloud.site(self._site_name))
        if plan is not None and plan.tier == "FlexConsumption":
            return await self._push(request, push, asynchronous=True, answer_with_id=True)
        return await self._push(request, push, asynchronous=_flag(request, "async") or _flag(request, "isAsync"))

    async def _push(
        self, request: Request, push: Push, *, asynchronous: bool, answer_with_id: bool = False
    ) -> Response:
        try:
            # Refused before the body is read, as on Azure; asked again after it, because reading takes time.
            self.deployer.refuse_if_busy()
            archive = await self._receive(request)
            try:
                deployment = self.deployer.begin(push)
            except DeploymentRefused:
                archive.unlink()
                raise
        except DeploymentRefused as refusal:
            return PlainTextResponse(str(refusal), 409)
        work = self.deployer.run(deployment, archive, push)
        if not asynchronous:
            final = await work
            return Response(status_code=200 if final.status == DeployStatus.SUCCESS else 400)

        async def run() -> None:
            await work

        self._cloud.in_background(run(), f"deployment {deployment.id}")
        if answer_with_id:
            return JSONResponse(deployment.id, 202)
        time = deployment.received.strftime("%Y-%m-%d_%H-%M-%SZ")
        location = f"{_base_url(request)}/api/deployments/latest?deployer={push.deployer}&time={time}"
        headers = {"Location": location, "Retry-After": str(self._cloud.settings.timing.retry_after)}
        if _flag(request, "trackDeploymentProgress"):
            headers["SCM-DEPLOYMENT-ID"] = deployment.id
        return Response(status_code=202, headers=headers)

    async def _receive(self, request: Request) -> Path:
        folder = self._cloud.state.directory / "uploads"
        folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file:
            async for part in request.stream():
                file.write(part)
        return Path(file.name)

    async def _validate(self, request: Request) -> Response:
        archive = await self._receive(request)
        try:
            check_archive(archive)
        except BadPackage as error:
            return JSONResponse({"result": str(error)}, 400)
        finally:
            archive.unlink()
        return JSONResponse({"result": "Validation passed"})

    # what was deployed

    async def _home(self, _request: Request) -> Response:
        return PlainTextResponse(f"Deployment endpoint of {self._site_name}[{self._slot_name}]")

    async def _is_deploying(self, _request: Request) -> Response:
        return JSONResponse({"value": self.deployer.running is not None})

    def _json(self, request: Request, deployment: Deployment) -> dict[str, object]:
        return deployment.to_kudu(_base_url(request), self._site_name)

    def _found(self, request: Request) -> Deployment | None:
        return self.deployer.history.get(request.path_params["id"])

    async def _list(self, request: Request) -> Response:
        return JSONResponse([self._json(request, found) for found in reversed(self.deployer.history.all())])

    async def _get(self, request: Request) -> Response:
        found = self._found(request)
        if found is None:
            return PlainTextResponse(f"Deployment '{request.path_params['id']}' not found.", 404)
        if found.status.is_final:
            return JSONResponse(self._json(request, found))
        return JSONResponse(self._json(request, found), 202, headers={"Location": str(request.url)})

    async def _delete(self, request: Request) -> Response:
        found = self._found(request)
        if found is None:
            return PlainTextResponse(f"Deployment '{request.path_params['id']}' not found.", 404)
        if found.active or found.id == self.deployer.running:
            return PlainTextResponse("The active deployment cannot be deleted.", 409)
        self.deployer.history.delete(found.id)
        return Response(status_code=204)

    async def _log(self, request: Request) -> Response:
        found = self._found(request)
        if found is None:
            return PlainTextResponse(f"Deployment '{request.path_params['id']}' not found.", 404)
        return JSONResponse(
            [
                {
                    "log_time": entry.time.isoformat(),
                    "id": entry.id,
                    "message": entry.message,
                    "type": entry.type,
                    "details_url": None,
                }
                for entry in found.entries
            ]
        )

    async def _log_entry(self, request: Request) -> Response:
        found = self._found(request)
        entries = found.entries if found else ()
        if not any(entry.id == request.path_params["entry"] for entry in entries):
            return PlainTextResponse("Log entry not found.", 404)
        return JSONResponse([])

    async def _settings(self, _request: Request) -> Response:
        return JSONResponse(self._cloud.site(self._site_name).slots[self._slot_name].app_settings)

    async def _vfs(self, request: Request) -> Response:
        """The deployed files: site/wwwroot only."""
        path = request.path_params["path"].removeprefix("home/")
        content = self.read_file(path)
        if content is None:
            return PlainTextResponse(f"'{path}' not found.", 404)
        kind = "application/json" if path.endswith(".json") else "application/octet-stream"
        return Response(content, media_type=kind)

    def read_file(self, path: str) -> bytes | None:
        """Return a deployed file by its path below /home, or None."""
        if not path.startswith("site/wwwroot/"):
            return None
        settings = self._cloud.site(self._site_name).slots[self._slot_name].app_settings
        return self.deployer.volume.read(path.removeprefix("site/wwwroot/"), settings)


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")
