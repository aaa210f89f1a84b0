"""Errors as Azure words them: the Resource Manager's envelope, App Service's Pascal case, the HTML of sites."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class AzureError(Exception):
    """An answer other than success; `body` is its JSON."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        error = self.body.get("error")
        message = error.get("message") if isinstance(error, dict) else self.body.get("Message")
        return f"{self.status}: {message}"


def arm_error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> AzureError:
    """An error of the Resource Manager itself: `{"error": {"code", "message"}}`."""
    return AzureError(status, {"error": {"code": code, "message": message}}, headers or {})


def app_service_error(
    status: int, code: str, message: str, *, extended_code: str, template: str = "", parameters: tuple[str, ...] = ()
) -> AzureError:
    """An error of App Service behind the Resource Manager: Pascal case, with the code numbers below Details."""
    entity = {
        "ExtendedCode": extended_code,
        "MessageTemplate": template or message,
        "Parameters": list(parameters),
        "InnerErrors": None,
        "Code": code,
        "Message": message,
    }
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": entity}]
    return AzureError(
        status, {"Code": code, "Message": message, "Target": None, "Details": details, "Innererror": None}
    )


def conflict(message: str, *, extended_code: str, template: str = "", parameters: tuple[str, ...] = ()) -> AzureError:
    """App Service's 409."""
    return app_service_error(
        409, "Conflict", message, extended_code=extended_code, template=template, parameters=parameters
    )


def bad_request(message: str, *, extended_code: str = "51021") -> AzureError:
    """App Service's 400."""
    return app_service_error(400, "BadRequest", message, extended_code=extended_code)


def site_not_found(name: str, resource_group: str, *, slot: str | None = None) -> AzureError:
    """The Resource Manager's 404 for a site or slot that does not exist."""
    kind, path = ("sites/slots", f"{name}/{slot}") if slot else ("sites", name)
    return arm_error(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Web/{kind}/{path}' under resource group '{resource_group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def page(title: str, text: str) -> bytes:
    """The HTML that a site's front end shows in place of the site."""
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    ).encode()


STOPPED_PAGE = page("Error 403 - This web app is stopped.", "The web app you have attempted to reach is stopped.")
STARTING_PAGE = page("503 - The service is unavailable.", "The Functions host of this app has not started.")
GATEWAY_PAGE = page("502 - Bad Gateway", "The app's process ended before it had answered.")
