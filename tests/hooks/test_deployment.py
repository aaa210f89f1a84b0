"""The deployment endpoint: our own deployment is followed, never the shared latest one."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest

from zdd.exceptions import BadInput, Conflict, ReleaseFailed, Unknown
from zdd.hooks.deployment import DeploymentHook, DeployStatus
from zdd.hooks.slot_reader import SlotName


class FakeKudu:
    """A deployment endpoint behind httpx's client: each look at a deployment moves it one status on."""

    def __init__(self, statuses=(0, 1, 4), *, push=202, header=True) -> None:
        self.statuses, self.push_status, self.header = list(statuses), push, header
        self.requests: list[httpx.Request] = []
        self.history = [{"id": "theirs", "message": "somebody", "deployer": "pipeline", "status": 4}]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if path == "/api/zipdeploy":
            if self.push_status != 202:
                return httpx.Response(self.push_status, text="There is a deployment currently in progress.")
            query = request.url.params
            self.history.insert(0, {"id": "ours", "message": query["message"], "deployer": query["deployer"]})
            return httpx.Response(202, headers={"SCM-DEPLOYMENT-ID": "ours"} if self.header else {})
        if path == "/api/deployments":
            return httpx.Response(200, json=[{"status": 0, **entry} for entry in self.history])
        if path.endswith("/log"):
            return httpx.Response(200, json=[{"message": "Unpacking"}, {"message": "No space left"}])
        if path == "/api/deployments/ours":
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            return httpx.Response(200, json={"id": "ours", "status": status, "status_text": ""})
        return httpx.Response(404)


@pytest.fixture
def endpoint(tmp_path):
    def make(kudu):
        account = SimpleNamespace(
            scheme="http",
            scope="s",
            credential=lambda: SimpleNamespace(get_token=lambda _scope: SimpleNamespace(token="bearer")),
        )
        hook = DeploymentHook(
            SimpleNamespace(account=account),
            SlotName("g", "app", "staging"),
            sleep=lambda _s: None,
            http=httpx.Client(transport=httpx.MockTransport(kudu)),
        )
        hook._base = "http://scm.test"
        return hook

    return make


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "app.zip"
    path.write_bytes(b"PK")
    return path


@pytest.mark.parametrize("header", [True, False])
def test_a_push_is_followed_by_its_own_id_even_when_the_endpoint_names_none(endpoint, package, header):
    kudu = FakeKudu(header=header)
    hook, told = endpoint(kudu), []
    assert hook.push(package, message="zdd r1") == "ours"
    assert hook.follow("ours", told.append).status is DeployStatus.SUCCESS
    assert [text.split(": ")[1] for text in told] == ["pending", "building", "success"]
    asked = [request.url.path for request in kudu.requests]
    assert not any("latest" in path for path in asked)
    assert all(request.headers["authorization"] == "Bearer bearer" for request in kudu.requests)


@pytest.mark.parametrize("status", [-1, 3, 5, 6])
def test_only_success_is_a_success_and_a_failure_tells_the_end_of_its_log(endpoint, status):
    with pytest.raises(ReleaseFailed, match=DeployStatus(status).name.lower()) as failed:
        endpoint(FakeKudu([status])).follow("ours")
    assert "No space left" in str(failed.value)


def test_a_status_never_heard_of_is_unknown(endpoint):
    with pytest.raises(Unknown, match="99"):
        endpoint(FakeKudu([99])).follow("ours")


@pytest.mark.parametrize(
    ("status", "error"), [(409, Conflict), (401, BadInput), (403, BadInput), (400, BadInput), (500, Unknown)]
)
def test_a_refused_push_is_told_apart_by_who_can_mend_it(endpoint, package, status, error):
    with pytest.raises(error, match=str(status)):
        endpoint(FakeKudu(push=status)).push(package, message="zdd r1")


def test_a_deployment_of_ours_is_found_again_by_its_message_and_nobody_elses(endpoint, package):
    hook = endpoint(FakeKudu())
    assert hook.find("zdd r1") is None
    hook.push(package, message="zdd r1")
    assert hook.find("zdd r1").id == "ours"
    assert hook.find("somebody") is None


def test_an_endpoint_that_is_away_is_unknown(endpoint):
    def away(request):
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Unknown, match=r"ConnectError at scm\.test"):
        endpoint(away).status("ours")
