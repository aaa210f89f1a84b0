"""Readers of foreign files under random input: whatever comes, the answer is a result or a ZddError."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.zips import APP, HOST_JSON, make_zip
from zdd.core.app_settings import AppSettings
from zdd.core.host_json import bind_task_hub
from zdd.core.package import PackageLimits, inspect_package
from zdd.core.slot_view import deciding_settings
from zdd.exceptions import ZddError

QUICK = settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
LIMITS = PackageLimits(total_bytes=10_000_000)

WORDS = st.sampled_from(
    [
        "version",
        "extensions",
        "durableTask",
        "DURABLETASK",
        "hubName",
        "HubName",
        "storageProvider",
        "connectionName",
        "connectionStringName",
        "trackingStoreConnectionName",
        "trackingStoreNamePrefix",
        "type",
        "extensionBundle",
        "azureStorageConnectionStringName",
        "controlQueueVisibilityTimeout",
        "2.0",
        "[1.*]",
        "%Hub%",
        "MyHub",
        "00:05:00",
        "AzureStorage",
        "mssql",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5)
)
SETTING_NAMES = st.sampled_from(
    [
        "Hub",
        "hub",
        "AzureWebJobsStorage",
        "AzureWebJobsStorage__accountName",
        "MyHub",
        "MyHub__tableServiceUri",
        "AzureFunctionsJobHost__extensions__durableTask__hubName",
        "FUNCTIONS_EXTENSION_VERSION",
        "AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionName",
        "AzureFunctionsJobHost:extensions:durableTask:hubName",
        "CUSTOMCONNSTR_MyHub",
    ]
)
VALUES = st.sampled_from(
    [
        "",
        "Blue",
        "%Hub%",
        "~1",
        "UseDevelopmentStorage=true",
        "https://a.table.core.windows.net",
        "@Microsoft.KeyVault(",
    ]
)
SETTINGS = st.dictionaries(SETTING_NAMES | st.text(max_size=6), VALUES | st.text(max_size=30), max_size=6)


def try_host_json(data: bytes | str, given_settings: dict[str, str]) -> None:
    try:
        bound = bind_task_hub(data, given_settings, site_name="orders", slot_name="staging")
        assert bound.binding.hub_name
        assert str(bound.binding.fingerprint())
        deciding_settings(data.encode() if isinstance(data, str) else data, AppSettings(given_settings))
    except ZddError:
        pass  # a refusal is an answer


@QUICK
@given(TREES, SETTINGS)
def test_any_json_as_host_json_is_bound_or_refused(tree: object, given_settings: dict[str, str]) -> None:
    try_host_json(json.dumps(tree), given_settings)


@QUICK
@given(st.dictionaries(WORDS, LEAVES, max_size=6), st.dictionaries(WORDS, LEAVES, max_size=6), SETTINGS)
def test_any_durable_section_is_bound_or_refused(
    durable: dict[str, object], provider: dict[str, object], given_settings: dict[str, str]
) -> None:
    tree = {"version": "2.0", "extensions": {"durableTask": {**durable, "storageProvider": provider}}}
    try_host_json(json.dumps(tree), given_settings)


@QUICK
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_as_host_json_are_refused_or_bound(data: bytes) -> None:
    try_host_json(data, {})


@QUICK
@given(st.text(alphabet='{}[]",:/* \n2.0versiondurableTask\\', max_size=120))
def test_any_near_json_is_refused_or_bound(text: str) -> None:
    try_host_json(text, {})


def try_package(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            report = inspect_package(data, limits=LIMITS)
            assert len(report.sha256) == 64
            json.dumps(report.to_json())
        except ZddError:
            pass


WHOLE = make_zip({"A/function.json": '{"bindings": [{"type": "queueTrigger"}]}', "lib/x.py": "import y"})


@QUICK
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_package_with_flipped_bytes_is_read_or_refused(flips: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in flips:
        data[at] = value
    try_package(bytes(data))


@QUICK
@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=40))
def test_a_package_cut_or_spliced_is_read_or_refused(start: int, end: int, middle: bytes) -> None:
    try_package(WHOLE[:start] + middle + WHOLE[end:])


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_as_package_are_refused(data: bytes) -> None:
    with pytest.raises(ZddError):
        inspect_package(data)


NAMES = st.text(alphabet="abA./\\: \x00\u00e9\ud800%", min_size=1, max_size=8).filter(lambda n: "\ud800" not in n)


@QUICK
@given(
    st.dictionaries(
        NAMES | st.sampled_from(["host.json", "A/function.json", "functions.metadata"]),
        st.binary(max_size=20),
        max_size=5,
    )
)
def test_any_names_in_a_package_are_read_or_refused(files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            made.writestr(info, data)
    try_package(buffer.getvalue())


LINES = st.sampled_from(
    [
        "import orders",
        "from orders import *",
        "from . import x",
        "from .. import y",
        "app = df.DFApp()",
        "bp = df.Blueprint()",
        "app.register_functions(bp)",
        "app.register_functions(*x)",
        "@app.route()",
        "@bp.activity_trigger('x')",
        "@app.function_name(N)",
        "N = N",
        "N = f'{N}{M}'",
        "M = 'x' + N",
        "def f(x): ...",
        "class C:",
        "    def g(self): ...",
        "for b in []:",
        "    app.register_functions(b)",
        "@app.entity_trigger(**o)",
        "@app.generic_trigger(1, 2)",
        "if x:",
        "\\u0000",
        "'",
        "(" * 300,
        "a.b.c.d = 1",
        "x: int = 3",
        "(y := 4)",
        "@app.orchestration_trigger",
    ]
)


@QUICK
@given(st.lists(LINES, max_size=14), st.lists(LINES, max_size=8))
def test_any_python_is_read_or_reported(main: list[str], orders: list[str]) -> None:
    try_package(make_zip({"function_app.py": "\n".join(main), "orders.py": "\n".join(orders)}))


@pytest.mark.parametrize(
    "source",
    [
        "(" * 5000,
        "x = " + "-" * 20_000 + "1",
        "a" + ".a" * 5000,
        "a = " + "+".join(["'x'"] * 3000),
        "\x00",
        "\xff" * 10,
        APP + "\\",
    ],
)
def test_sources_made_to_break_parsers_are_reported(source: str) -> None:
    report = inspect_package(make_zip({"host.json": HOST_JSON, "function_app.py": source}))
    assert report.unknown
