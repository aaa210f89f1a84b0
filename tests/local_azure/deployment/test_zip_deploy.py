"""Zip deployment to a slot's deployment endpoint."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from local_azure.deployment.volume import BadPackage, Volume
from tests.local_azure.cloud import App, eventually, http, package

ASYNC = "isAsync=true&trackDeploymentProgress=true"


def follow(app: App, slot: str, identifier: str) -> dict[str, object]:
    url = app.scm(slot, f"/api/deployments/{identifier}")
    while (answer := http.get(url, headers=app.bearer())).status_code == 202:
        assert answer.json()["status"] in (0, 1, 2)
        time.sleep(0.05)
    found: dict[str, object] = answer.json()
    return found


def test_an_asynchronous_deployment_is_followed_by_its_id_until_it_has_succeeded(new_app: Callable[..., App]) -> None:
    app = new_app(staging="1.0")
    accepted = app.push("staging", package("2.0"), ASYNC + "&deployer=tests&message=hello")
    assert accepted.status_code == 202
    assert "/api/deployments/latest" in accepted.headers["Location"]
    found = follow(app, "staging", accepted.headers["SCM-DEPLOYMENT-ID"])
    assert (found["status"], found["complete"], found["active"]) == (4, True, True)
    assert (found["deployer"], found["message"]) == ("tests", "hello")
    assert app.version("staging") == "2.0"  # at once: who sees success talks to the new code
    log = http.get(str(found["log_url"]), headers=app.bearer()).json()
    assert log[-1]["message"] == "Deployment successful."
    listed = http.get(app.scm("staging", "/api/deployments"), headers=app.bearer()).json()
    assert [(one["status"], one["active"]) for one in listed] == [(4, True), (4, False)]
    assert [one.properties.status for one in app.client.web_apps.list_deployments_slot(app.group, app.name, "staging")]


@pytest.mark.parametrize("broken", [b"no zip at all", package("2.0")[:-40]], ids=["not a zip", "cut off"])
def test_a_broken_zip_fails_with_a_log_and_changes_nothing(new_app: Callable[..., App], broken: bytes) -> None:
    app = new_app(staging="1.0")
    found = follow(app, "staging", app.push("staging", broken, ASYNC).headers["SCM-DEPLOYMENT-ID"])
    assert (found["status"], found["active"]) == (3, False)
    log = http.get(str(found["log_url"]), headers=app.bearer()).json()
    assert log[-1]["type"] == 2
    assert app.version("staging") == "1.0"
    latest = http.get(app.scm("staging", "/api/deployments/latest"), headers=app.bearer()).json()
    assert latest["id"] == found["id"]
    assert app.push("staging", broken).status_code == 400


def test_with_run_from_package_the_zip_itself_is_kept_and_run(new_app: Callable[..., App]) -> None:
    app = new_app()
    app.set_settings("staging", WEBSITE_RUN_FROM_PACKAGE="1")
    for version in ("1.0", "2.0"):
        assert app.push("staging", package(version)).status_code == 200
        assert app.version("staging") == version
    host_json = http.get(app.scm("staging", "/api/vfs/site/wwwroot/host.json"), headers=app.bearer())
    assert host_json.json()["made"] == "2.0"
    app.set_settings("production", WEBSITE_RUN_FROM_PACKAGE="1")
    app.begin_swap().result()
    assert (app.version("production"), app.version("staging")) == ("2.0", "none")


def test_a_package_is_run_from_a_url_and_pushes_are_refused_meanwhile(new_app: Callable[..., App]) -> None:
    import functools
    import http.server
    import tempfile
    import threading

    app = new_app()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.zip").write_bytes(package("7.0"))
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        app.set_settings("staging", WEBSITE_RUN_FROM_PACKAGE=f"http://127.0.0.1:{server.server_port}/app.zip")
        assert app.version("staging") == "7.0"
        assert app.push("staging", package("8.0")).status_code == 409
        server.shutdown()
        server.server_close()


def test_host_json_is_read_as_it_is_deployed_and_moves_with_the_code(app: App) -> None:
    def made(slot: str) -> str:
        answer = http.get(app.scm(slot, "/api/vfs/site/wwwroot/host.json"), headers=app.bearer())
        return str(answer.json()["made"])

    assert (made("production"), made("staging")) == ("1.0", "2.0")
    app.begin_swap().result()
    assert (made("production"), made("staging")) == ("2.0", "1.0")
    outside = http.get(app.scm("staging", "/api/vfs/site/wwwroot/../deployments/x.json"), headers=app.bearer())
    assert outside.status_code == 404


def test_publish_takes_a_zip_too(new_app: Callable[..., App]) -> None:
    app = new_app()
    url = app.scm("staging", "/api/publish?type=zip&async=true")
    assert http.post(url, content=package("5.0"), headers=app.bearer()).status_code == 202
    eventually(lambda: app.version("staging") == "5.0")


def test_the_endpoint_wants_credentials(app: App) -> None:
    refused = http.post(app.scm("staging", "/api/zipdeploy"), content=package("2.0"))
    assert refused.status_code == 401
    assert http.get(app.scm("staging", "/api/deployments"), auth=("$x", "wrong")).status_code == 401


@pytest.mark.parametrize("name", ["../outside.txt", "/absolute.txt"])
def test_an_entry_that_leads_out_of_the_package_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, "x")
    archive = tmp_path / "bad.zip"
    archive.write_bytes(buffer.getvalue())
    volume = Volume(tmp_path / "home")
    volume.prepare()
    with pytest.raises(BadPackage, match="leads out"):
        volume.deploy_files(archive)
