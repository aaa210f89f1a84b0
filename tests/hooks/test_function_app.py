"""What tasks do to function apps through the SDK, and how its errors are told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

from tests.support.fake_azure import FakeAzureHook, FakeWebApps
from zdd.core.release_plan import Operation
from zdd.exceptions import BadInput, Conflict, Unknown
from zdd.hooks.arm_reader import NotThere
from zdd.hooks.function_app import FunctionAppHook, SwapDidNotHappen, SwapStarted, translated
from zdd.hooks.slot_reader import SlotName

STAGING = SlotName("group", "app", "staging")


@pytest.fixture
def apps():
    return FakeWebApps()


@pytest.fixture
def hook(apps):
    return FunctionAppHook(FakeAzureHook(), SimpleNamespace(web_apps=apps))


def test_a_changed_setting_leaves_all_others_as_they_are(hook, apps):
    apps.settings["staging"] = {"A": "1", "B": "2"}
    assert hook.set_app_settings(STAGING, {"B": "3", "C": "4"})
    assert apps.settings["staging"] == {"A": "1", "B": "3", "C": "4"}


def test_settings_that_are_so_already_restart_nothing(hook, apps):
    apps.settings["staging"] = {"A": "1"}
    assert not hook.set_app_settings(STAGING, {"A": "1"})
    assert apps.calls == []


def test_production_is_never_the_source_of_a_swap(hook):
    with pytest.raises(BadInput):
        hook.start_swap(SlotName("group", "app"))


def test_a_started_swap_is_waited_for_without_a_second_request(hook, apps):
    started = hook.start_swap(STAGING)
    assert hook.operation(STAGING) is Operation.RUNNING
    hook.await_swap(STAGING, SwapStarted(started.token))
    assert (apps.swaps_posted, hook.operation(STAGING)) == (1, Operation.NONE)


def test_a_swap_that_failed_is_told_from_one_whose_end_was_not_seen(hook, apps):
    apps.swap_fails = True
    with pytest.raises(SwapDidNotHappen, match="warm-up"):
        hook.await_swap(STAGING, hook.start_swap(STAGING))


def test_a_slot_that_does_not_exist_is_not_an_error_to_ask_for(hook):
    assert not hook.exists(SlotName("group", "app", "nowhere"))
    assert hook.slot_view(SlotName("group", "app", "nowhere")) is None


def answered(status: int, text: str = "no") -> HttpResponseError:
    request = SimpleNamespace(method="GET", url="https://m/subscriptions/s/providers/Microsoft.Web/sites/app?k=secret")
    response = SimpleNamespace(
        status_code=status, reason="x", request=request, headers={}, text=lambda: text, content_type="text/plain"
    )
    return HttpResponseError(message=text, response=response)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (answered(403, "does not have authorization"), BadInput),
        (answered(404), NotThere),
        (answered(409, "cannot be modified now"), Conflict),
        (answered(429), Unknown),
        (answered(503), Unknown),
        (ClientAuthenticationError(message="AADSTS7000215: invalid secret"), BadInput),
        (ServiceRequestError("connection refused"), Unknown),
    ],
)
def test_errors_of_the_sdk_say_who_can_mend_them(error, ours):
    with pytest.raises(ours) as raised, translated("reading app/staging"):
        raise error
    assert "reading app/staging" in str(raised.value)
    assert "secret" not in str(raised.value).replace("invalid secret", "").replace("check client id, secret", "")
