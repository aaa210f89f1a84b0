"""HTTP functions of a running host: routes, keys, requests, responses."""

from __future__ import annotations

import httpx
import pytest

from .child import TOKEN, Child


def test_a_function_key_opens_a_function_by_header_or_query(everything: Child) -> None:
    keys = everything.admin("host/keys")
    own = everything.admin("functions/secret/keys")["default"]
    assert everything.call("GET", "/api/secret").status_code == 401
    assert everything.call("GET", "/api/secret?code=wrong").status_code == 401
    for key in (keys["functionKeys"]["default"], keys["masterKey"], own):
        response = everything.call("GET", "/api/secret?who=me", headers={"x-functions-key": key})
        assert (response.status_code, response.text) == (200, "secret me")
        assert everything.call("GET", "/api/secret", params={"code": key}).status_code == 200


def test_the_admin_level_wants_the_master_key(everything: Child) -> None:
    keys = everything.admin("host/keys")
    assert everything.call("GET", "/api/boss", params={"code": keys["functionKeys"]["default"]}).status_code == 401
    response = everything.call("GET", "/api/boss", params={"code": keys["masterKey"]})
    assert (response.status_code, response.content) == (201, b"\x00\x01")
    assert (response.headers["x-kind"], response.headers["content-type"]) == ("bytes", "application/x-raw")


def test_routes_match_methods_parameters_and_constraints(everything: Child) -> None:
    assert everything.call("GET", "/api/extra/12").text == "extra 12"
    assert everything.call("GET", "/api/extra/twelve").status_code == 404
    assert everything.call("POST", "/api/secret").status_code == 404
    assert everything.call("GET", "/elsewhere").status_code == 404


def test_the_function_sees_the_address_that_the_caller_used(everything: Child) -> None:
    response = everything.call("PUT", "/api/url/a%20b/c?x=1")
    assert response.text == f"PUT {everything.base}/api/url/a%20b/c?x=1 a b/c"
    front = {"x-forwarded-host": "front.example:81", "x-forwarded-proto": "https"}
    assert everything.call("GET", "/api/url/a", headers=front).text == "GET https://front.example:81/api/url/a a"


def test_a_function_that_raises_is_an_empty_500(everything: Child) -> None:
    response = everything.call("GET", "/api/broken")
    assert (response.status_code, response.content) == (500, b"")


def test_the_admin_api_lists_functions_and_hands_out_the_deployed_host_json(everything: Child) -> None:
    functions = {function["name"]: function for function in everything.admin("functions")}
    assert functions["extra"]["invoke_url_template"] == f"{everything.base}/api/extra/{{number:int}}"
    assert {binding["type"] for binding in functions["counter"]["config"]["bindings"]} == {"entityTrigger"}
    assert functions["nightly"]["language"] == "python"
    headers = {"x-local-azure-internal": TOKEN}
    for place in ("site/wwwroot/host.json", "home/site/wwwroot/host.json"):
        assert "%EverythingHub%" in everything.call("GET", f"/admin/vfs/{place}", headers=headers).text
    assert everything.call("GET", "/admin/vfs/site/wwwroot/..%2F..%2Fsecret", headers=headers).status_code == 404


@pytest.mark.parametrize("path", ["host/status", "functions", "host/keys", "vfs/site/wwwroot/host.json"])
def test_the_admin_api_wants_the_master_key_or_the_internal_token(everything: Child, path: str) -> None:
    master = everything.admin("host/keys")["masterKey"]
    assert everything.call("GET", f"/admin/{path}").status_code == 401
    assert everything.call("GET", f"/admin/{path}", headers={"x-local-azure-internal": "guess"}).status_code == 401
    assert everything.call("GET", f"/admin/{path}", params={"code": master}).status_code == 200


def test_keys_can_be_made_changed_and_deleted(everything: Child) -> None:
    headers = {"x-local-azure-internal": TOKEN}
    made = everything.call("PUT", "/admin/host/keys/Partner", json={"value": "abc"}, headers=headers)
    assert (made.status_code, made.json()) == (201, {"name": "Partner", "value": "abc"})
    assert everything.call("GET", "/api/secret?code=abc").status_code == 200
    changed = everything.call("PUT", "/admin/host/keys/Partner", json={}, headers=headers)
    assert changed.status_code == 200
    assert everything.admin("host/keys")["functionKeys"]["Partner"] == changed.json()["value"] != "abc"
    assert everything.call("DELETE", "/admin/host/keys/Partner", headers=headers).status_code == 204
    assert everything.call("DELETE", "/admin/host/keys/Partner", headers=headers).status_code == 404
    assert everything.call("GET", "/api/secret?code=abc").status_code == 401


def test_a_start_returns_urls_of_the_callers_address_that_work(everything: Child) -> None:
    response = everything.call("POST", "/api/start/fan_out", json={"n": 1})
    assert response.status_code == 202
    assert response.headers["retry-after"] == "10"
    body = response.json()
    assert response.headers["location"] == body["statusQueryGetUri"]
    assert set(body) == {
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "rewindPostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    }
    url = httpx.URL(body["statusQueryGetUri"])
    assert str(url).startswith(everything.base)
    assert url.params["taskHub"] == "HostShared"
    assert url.params["connection"] == "HubStorage"
    assert httpx.get(url).status_code in (200, 202)
