"""What a package's functions are, read from function.json, functions.metadata and Python decorators."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.zips import APP, make_zip
from zdd.core.package import PackageReport, TriggerKind, inspect_package

HEAD = "import azure.functions as func\nimport azure.durable_functions as df\n"


def python(source: str, modules: Mapping[str, str] | None = None) -> PackageReport:
    return inspect_package(make_zip({"function_app.py": HEAD + source, **(modules or {})}))


def found(report: PackageReport) -> dict[str, str]:
    return {function.name: function.trigger for function in report.functions}


def test_a_package_is_identified_and_described(tmp_path: Path) -> None:
    data = make_zip({"readme.md": "hello"})
    path = tmp_path / "app.zip"
    path.write_bytes(data)
    for source in (data, path, str(path), io.BytesIO(data)):
        report = inspect_package(source)
        assert report.sha256 == hashlib.sha256(data).hexdigest()
        assert (report.size, report.files) == (len(data), 3)
        assert (report.orchestrators, report.activities, report.entities) == (("order",), ("charge",), ())
        assert (report.warnings, report.unknown) == ((), ())
        assert json.loads(json.dumps(report.to_json()))["functions"] == {
            "activity": ["charge"],
            "orchestration": ["order"],
        }


DECORATORS = [
    ("@app.route(route='x')\ndef a(req): ...", {"a": "httpTrigger"}),
    ("@app.route(route='x')\nasync def a(req): ...", {"a": "httpTrigger"}),
    ("@app.schedule(schedule='* * * * * *', arg_name='t')\ndef a(t): ...", {"a": "timerTrigger"}),
    ("@app.timer_trigger(schedule='* * * * * *', arg_name='t')\ndef a(t): ...", {"a": "timerTrigger"}),
    ("@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef a(m): ...", {"a": "queueTrigger"}),
    ("@app.service_bus_topic_trigger(arg_name='m')\ndef a(m): ...", {"a": "serviceBusTrigger"}),
    ("@app.event_hub_message_trigger(arg_name='m')\ndef a(m): ...", {"a": "eventHubTrigger"}),
    ("@app.cosmos_db_trigger(arg_name='m')\ndef a(m): ...", {"a": "cosmosDBTrigger"}),
    ("@app.blob_trigger(arg_name='m')\ndef a(m): ...", {"a": "blobTrigger"}),
    ("@app.generic_trigger(arg_name='m', type='kafkaTrigger')\ndef a(m): ...", {"a": "kafkaTrigger"}),
    ("@app.generic_trigger('m', 'orchestrationTrigger')\ndef a(m): ...", {"a": "orchestrationTrigger"}),
    ("@app.warm_up_trigger('w')\ndef a(w): ...", {"a": "warmupTrigger"}),
    ("@app.some_new_trigger('w')\ndef a(w): ...", {"a": "someNewTrigger"}),
    ("@app.function_name(name='B')\n@app.route()\ndef a(req): ...", {"B": "httpTrigger"}),
    ("@app.function_name('B')\n@app.activity_trigger('x')\ndef a(x): ...", {"B": "activityTrigger"}),
    ("N = 'B'\n@app.function_name(N)\n@app.activity_trigger('x')\ndef a(x): ...", {"B": "activityTrigger"}),
    (
        "V = '1'\n@app.function_name(f'B_{V}' + '_0')\n@app.activity_trigger('x')\ndef a(x): ...",
        {"B_1_0": "activityTrigger"},
    ),
    ("@app.route()\n@app.durable_client_input(client_name='c')\nasync def a(req, c): ...", {"a": "httpTrigger"}),
]


@pytest.mark.parametrize(("source", "functions"), DECORATORS)
def test_a_decorated_function_is_found_with_its_trigger(source: str, functions: dict[str, str]) -> None:
    report = python(f"app = df.DFApp()\n{source}\n")
    assert found(report) == functions
    assert report.unknown == ()


def test_durable_names_may_differ_from_function_names() -> None:
    report = python(
        """
app = df.DFApp()
NAME = "stock"

@app.orchestration_trigger(context_name="context", orchestration="Order_1_0_0")
def order(context): ...

@app.activity_trigger("x", "Charge")
def charge(x): ...

@app.entity_trigger(context_name="context", entity_name=NAME)
def stock_entity(context): ...

@app.orchestration_trigger(context_name="context", orchestration=None)
def plain(context): ...
"""
    )
    assert report.orchestrators == ("Order_1_0_0", "plain")
    assert report.activities == ("Charge",)
    assert report.entities == ("stock",)
    assert report.function_names == ("order", "charge", "stock_entity", "plain")


BLUEPRINT = HEAD + "bp = df.Blueprint()\n@bp.activity_trigger('x')\ndef from_blueprint(x): ...\n"
APP_OF = "app = df.DFApp()\napp.register_functions({})"
BLUEPRINTS: list[tuple[str, dict[str, str]]] = [
    ("from orders import bp\n" + APP_OF.format("bp"), {"orders.py": BLUEPRINT}),
    ("import orders\n" + APP_OF.format("orders.bp"), {"orders.py": BLUEPRINT}),
    (
        "import parts.orders\n" + APP_OF.format("parts.orders.bp"),
        {"parts/orders.py": BLUEPRINT, "parts/__init__.py": ""},
    ),
    ("from parts import orders as o\n" + APP_OF.format("o.bp"), {"parts/orders.py": BLUEPRINT}),
    (
        "from parts import bp as p\n" + APP_OF.format("p"),
        {"parts/orders.py": BLUEPRINT, "parts/__init__.py": "from .orders import bp"},
    ),
    ("from orders import *\n" + APP_OF.format("bp"), {"orders.py": BLUEPRINT}),
    (
        "import orders\napp = df.DFApp()\nfor b in (orders.bp,):\n    app.register_functions(b)",
        {"orders.py": BLUEPRINT},
    ),
    (
        "import orders\nfrom shared import app",
        {
            "orders.py": "from shared import app\n@app.activity_trigger('x')\ndef from_blueprint(x): ...",
            "shared.py": HEAD + "app = df.DFApp()",
        },
    ),
    ("from lib import bp\n" + APP_OF.format("bp"), {".python_packages/lib/site-packages/lib.py": BLUEPRINT}),
]


@pytest.mark.parametrize(("source", "modules"), BLUEPRINTS)
def test_blueprints_are_followed_over_imports(source: str, modules: dict[str, str]) -> None:
    report = python(source, modules)
    assert found(report) == {"from_blueprint": "activityTrigger"}
    assert report.unknown == ()


def test_a_blueprint_that_nobody_registers_is_left_out_with_a_warning() -> None:
    report = python(
        "import orders\napp = df.DFApp()\n@app.route()\ndef a(req): ...",
        {"orders.py": BLUEPRINT, "unused.py": BLUEPRINT},
    )
    assert found(report) == {"a": "httpTrigger"}
    assert report.warnings == ("orders.py declares a blueprint that is never registered; it is left out",)


def test_another_frameworks_routes_are_no_functions() -> None:
    report = python(
        "from flask import Flask\nweb = Flask('x')\n@web.route('/a')\ndef a(): ...\n"
        "app = func.WsgiFunctionApp(app=web.wsgi_app)\n"
    )
    assert found(report) == {"http_app_func": "httpTrigger"}


UNKNOWN = [
    (
        "app = df.DFApp()\nimport os\n@app.function_name(os.environ['N'])\n@app.route()\ndef a(r): ...",
        "line 7 computes the name of the function a",
    ),
    ("app = df.DFApp()\n@app.entity_trigger(**options)\ndef a(c): ...", "computes the name of the function a"),
    ("app = df.DFApp()\napp.register_functions(make())", "registers functions that cannot be followed"),
    (
        "from elsewhere import bp\napp = df.DFApp()\napp.register_functions(bp)",
        "registers functions that cannot be followed",
    ),
    ("import importlib\napp = df.DFApp()\nimportlib.import_module(x)", "uses import_module"),
    ("app = df.DFApp()\napp.activity_trigger('x')(later)", "applies a trigger without a decorator"),
    ("app = df.DFApp()\nif flag:\n    @app.route()\n    def a(r): ...", "declares a under a condition or in a loop"),
    ("app = df.DFApp()\n@app.generic_trigger('m', kind)\ndef a(m): ...", "a trigger whose type cannot be told"),
    ("app = df.DFApp()\ndef broken(:", "function_app.py cannot be parsed here (SyntaxError at line 4)"),
    ("app = df.DFApp()", "'function_app.py' declares no functions that could be found"),
]


@pytest.mark.parametrize(("source", "said"), UNKNOWN)
def test_what_only_running_the_code_would_tell_is_reported(source: str, said: str) -> None:
    report = python(source)
    assert any(said in text for text in report.unknown), report.unknown


def test_a_function_with_a_computed_name_is_still_counted() -> None:
    report = python("app = df.DFApp()\n@app.entity_trigger('c', entity_name=compute())\ndef stock(c): ...")
    assert len(report.of_kind(TriggerKind.ENTITY)) == 1
    assert report.function_names == ()


def test_code_of_the_package_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    evil = f"import pathlib\npathlib.Path({str(trap)!r}).touch()\n"
    inspect_package(make_zip({"function_app.py": evil + APP, "sitecustomize.py": evil, "azure/__init__.py": evil}))
    assert not trap.exists()


def test_function_json_gives_functions_of_every_language() -> None:
    files = {
        "Order/function.json": '{"bindings": [{"type": "orchestrationTrigger", "name": "context"}]}',
        "Stock/function.json": '// c\n{"bindings": [{"type": "entityTrigger", "entityName": "stock"}]}',
        "Nightly/function.json": '{"disabled": true, "bindings": [{"type": "timerTrigger"}]}',
        "Start/function.json": '{"bindings": [{"type": "durableClient"}, {"type": "httpTrigger"}]}',
        "Odd/function.json": '{"bindings": []}',
        "deep/er/function.json": '{"bindings": [{"type": "queueTrigger"}]}',
        "host.json": '{"version": "2.0"}',
    }
    report = inspect_package(make_zip(files, plain=False))
    assert found(report) == {
        "Order": "orchestrationTrigger",
        "Stock": "entityTrigger",
        "Nightly": "timerTrigger",
        "Start": "httpTrigger",
    }
    assert report.entities == ("stock",)
    assert report.running_by_themselves == ()
    assert report.unknown == ("'Odd/function.json' names no trigger",)


def test_functions_metadata_gives_the_functions_of_dotnet_isolated() -> None:
    metadata = [
        {"name": "Order", "bindings": [{"type": "orchestrationTrigger", "name": "context"}]},
        {"name": "Watch", "bindings": [{"type": "queueTrigger", "queueName": "q"}]},
        {"name": "Broken"},
        7,
    ]
    report = inspect_package(
        make_zip({"host.json": '{"version": "2.0"}', "functions.metadata": json.dumps(metadata)}, plain=False)
    )
    assert found(report) == {"Order": "orchestrationTrigger", "Watch": "queueTrigger"}
    assert [function.name for function in report.running_by_themselves] == ["Watch"]
    assert len(report.unknown) == 2


def test_the_node_model_without_function_json_is_reported_as_unknown() -> None:
    report = inspect_package(make_zip({"host.json": '{"version": "2.0"}', "package.json": "{}"}, plain=False))
    assert report.functions == ()
    assert "registered by running the code" in report.unknown[0]


def test_one_name_twice_is_told() -> None:
    report = python(
        "app = df.DFApp()\n@app.route()\ndef a(r): ...\n@app.function_name('A')\n@app.route()\ndef b(r): ..."
    )
    assert report.warnings == ("the function 'a' is declared 2 times",)


def test_the_settings_of_the_slot_decide_about_script_and_generation() -> None:
    files = {"host.json": "{}", "main.py": APP}
    settings = {"PYTHON_SCRIPT_FILE_NAME": "main.py", "FUNCTIONS_EXTENSION_VERSION": "~4"}
    assert inspect_package(make_zip(files, plain=False), settings=settings).orchestrators == ("order",)


@pytest.mark.parametrize("version", ["v1_0_0", "v1_1_0", "v2_0_0", "v2_1_0_entity"])
def test_the_samples_are_read_whole(version: str) -> None:
    folder = Path(__file__).parents[2] / "samples" / "orders" / version
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.py")}
    report = inspect_package(make_zip({**files, "host.json": (folder / "host.json").read_bytes()}, plain=False))
    assert (report.unknown, report.warnings) == ((), ())
    assert {"order", "shipping"} <= set(report.orchestrators)
    assert report.entities == (("stock",) if version.endswith("entity") else ())
    assert report.running_by_themselves == ()


def test_names_that_refer_to_each_other_without_end_come_to_an_end() -> None:
    loop = "a = b\nb = a\n" + "".join(f"n{i} = f'" + f"{{n{i + 1}}}" * 4 + "'\n" for i in range(40))
    functions = "app = df.DFApp()\n@app.function_name(n0)\n@app.route()\ndef f(r): ...\n@a.route()\ndef g(r): ..."
    report = python(loop + functions)
    assert any("computes the name" in text for text in report.unknown)
