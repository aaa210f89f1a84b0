"""Route templates."""

from __future__ import annotations

import pytest

from local_azure.functions_host.routes import Route

GUID = "6de10d22-9c9b-48f0-b504-20f0dad35af6"


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/orders", "/api/orders", {}),
        ("api/orders", "/API/Orders/", {}),
        ("api/orders", "/api/orders/1", None),
        ("api/orders/{id}", "/api/orders/a%20b", {"id": "a b"}),
        ("api/orders/{id}", "/api/orders", None),
        ("api/orders/{id:int?}", "/api/orders", {}),
        ("api/orders/{id:int}", "/api/orders/x", None),
        (
            "api/orders/{id:guid}",
            "/api/orders/6de10d22-9c9b-48f0-b504-20f0dad35af6",
            {"id": "6de10d22-9c9b-48f0-b504-20f0dad35af6"},
        ),
        ("api/{kind=all}", "/api", {"kind": "all"}),
        ("api/{*rest}", "/api/a/b%2Fc", {"rest": "a/b/c"}),
        ("api/{*rest}", "/api", {}),
        ("/orders", "/orders", {}),
    ],
)
def test_a_template_matches_as_the_functions_host_matches(
    template: str, path: str, expected: dict[str, str] | None
) -> None:
    assert Route(template).match(path) == expected


def test_the_more_specific_template_comes_first() -> None:
    templates = ["api/{*rest}", "api/{id}", "api/{id:int}", "api/orders"]
    ordered = sorted((Route(template) for template in templates), key=lambda route: route.precedence)
    assert [route.template for route in ordered] == templates[::-1]
