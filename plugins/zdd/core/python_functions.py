"""Functions of the Python v2 model: decorators of function_app.py and its blueprints, read from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from zdd.core.archive import Archive
from zdd.core.functions import Found, PackageFunction
from zdd.core.hub_name import shown
from zdd.core.python_modules import Module, Modules

DEFAULT_SCRIPT = "function_app.py"

_APPS = {"FunctionApp", "DFApp"}
_WEB_APPS = {"AsgiFunctionApp", "WsgiFunctionApp"}
_CONTAINERS = _APPS | _WEB_APPS | {"Blueprint", "ExternalHttpApp"}
# Decorators whose binding type does not follow from their name.
_BINDINGS = {
    "route": "httpTrigger",
    "schedule": "timerTrigger",
    "mcp_tool": "mcpToolTrigger",
    "service_bus_queue_trigger": "serviceBusTrigger",
    "service_bus_topic_trigger": "serviceBusTrigger",
    "event_hub_message_trigger": "eventHubTrigger",
    "cosmos_db_trigger": "cosmosDBTrigger",
    "cosmos_db_trigger_v3": "cosmosDBTrigger",
    "warm_up_trigger": "warmupTrigger",
}
# Durable triggers to the argument that renames the function for the task hub; it is the second one of each.
_ALIASES = {"orchestration_trigger": "orchestration", "activity_trigger": "activity", "entity_trigger": "entity_name"}
_REGISTER = {"register_functions", "register_blueprint"}


def read_python(archive: Archive, script: str = DEFAULT_SCRIPT) -> Found:
    """Functions that the Python worker would index from `script` and the modules that it imports."""
    modules = Modules(archive)
    reader = _Reader(modules)
    reached = list(modules.reachable(script.removesuffix(".py").replace("/", ".")))
    for module in reached:
        reader.registrations(module)
    names = {module.name for module in reached}
    for module in reached + [m for m in reader.vendored if m.name not in names]:
        reader.declarations(module)
    if not reader.functions and not reader.unknown and not modules.unknown:
        reader.unknown.append(f"{shown(script)} declares no functions that could be found")
    return Found(
        tuple(dict.fromkeys(reader.functions)),
        tuple(dict.fromkeys([*modules.unknown, *reader.unknown])),
        tuple(dict.fromkeys(reader.warnings)),
    )


@dataclass
class _Reader:
    modules: Modules
    functions: list[PackageFunction] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    vendored: list[Module] = field(default_factory=list)
    # Blueprints that some module registers; None once a registration could not be followed: any may be meant then.
    registered: set[ast.expr] | None = field(default_factory=set)

    def registrations(self, module: Module) -> None:
        """Note which blueprints are registered, and what adds functions in ways that reading cannot follow."""
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            name = _last_name(node.func)
            if name in _REGISTER and isinstance(node.func, ast.Attribute):
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                    self._register(module, argument)
            elif name in ("import_module", "__import__", "exec", "eval"):
                self._say(module, node, f"uses {name}: functions that come in this way are not seen")

    def _register(self, module: Module, argument: ast.expr) -> None:
        options = [argument]
        if isinstance(argument, ast.Name) and argument.id in module.looped:
            sequence = module.looped[argument.id]
            options = sequence.elts if isinstance(sequence, ast.Tuple | ast.List) else []
        targets = [self.modules.resolve(module, option) for option in options]
        if not targets or any(t is None or self._container(t.module, t.node) is None for t in targets):
            self._say(module, argument, "registers functions that cannot be followed without running the code")
            self.registered = None
            return
        for target in targets:
            if target and target.node is not None:
                if self.registered is not None:
                    self.registered.add(target.node)
                if self.modules.is_vendored(target.module.name):
                    self.vendored.append(target.module)

    def declarations(self, module: Module) -> None:
        """Collect the decorated functions of one module."""
        decorators: set[ast.expr] = set()
        for node, conditional in _definitions(module.tree, conditional=False):
            decorators.update(node.decorator_list)
            self._function(module, node, conditional=conditional)
        for call in ast.walk(module.tree):
            if not isinstance(call, ast.Call):
                continue
            if call not in decorators and isinstance(call.func, ast.Attribute) and _is_trigger(call.func.attr):
                owner = self.modules.resolve(module, call.func.value)
                if owner and self._container(owner.module, owner.node):
                    self._say(module, call, "applies a trigger without a decorator: its function is not seen")
            elif self._container(module, call) in _WEB_APPS:
                self.functions.append(PackageFunction("http_app_func", "httpTrigger", module.path))

    def _function(self, module: Module, node: _Definition, *, conditional: bool) -> None:
        triggers = [
            call
            for call in node.decorator_list
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is_trigger(call.func.attr)
        ]
        triggers = [call for call in triggers if self._belongs_to_app(module, call)]
        if not triggers:
            return
        trigger = triggers[0]
        attribute = trigger.func.attr if isinstance(trigger.func, ast.Attribute) else ""
        name, known = node.name, True
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and _last_name(call.func) == "function_name":
                name, known = self._named(module, call, "name", 0, node.name)
        durable_name = name
        if alias := _ALIASES.get(attribute):
            durable_name, alias_known = self._named(module, trigger, alias, 1, name)
            known = known and alias_known
        binding = _binding_type(attribute)
        if attribute == "generic_trigger":
            binding, binding_known = self._named(module, trigger, "type", 1, "")
            if not binding_known or not binding:
                self._say(module, trigger, f"gives {node.name} a trigger whose type cannot be told")
                binding = ""
        if not known:
            self._say(module, node, f"computes the name of the function {node.name}")
        if conditional:
            self._say(module, node, f"declares {node.name} under a condition or in a loop")
        self.functions.append(
            PackageFunction(name, binding, module.path, durable_name=durable_name or name, name_known=known)
        )

    def _belongs_to_app(self, module: Module, call: ast.Call) -> bool:
        """False for another framework's decorator (`@flask_app.route`) and for a blueprint that nobody registers."""
        owner = call.func.value if isinstance(call.func, ast.Attribute) else call
        target = self.modules.resolve(module, owner)
        if target is None or target.node is None:
            return True  # a parameter, or something that comes from outside: it may well be the app
        container = self._container(target.module, target.node)
        if container is None:
            attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            return attribute not in ("route", "schedule") and not _is_other_framework(target.node)
        if container == "Blueprint" and self.registered is not None and target.node not in self.registered:
            self.warnings.append(f"{module.path} declares a blueprint that is never registered; it is left out")
            return False
        return True

    def _named(self, module: Module, call: ast.Call, keyword: str, position: int, default: str) -> tuple[str, bool]:
        """An argument that gives a name, and whether it could be told."""
        if any(k.arg is None for k in call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
            return default, False
        given = next((k.value for k in call.keywords if k.arg == keyword), None)
        if given is None and len(call.args) > position:
            given = call.args[position]
        if given is None or (isinstance(given, ast.Constant) and given.value is None):
            return default, True
        text = self.modules.literal(module, given)
        return (text, True) if text else (default, False)

    def _container(self, module: Module, node: ast.expr | None) -> str | None:
        """The class of a FunctionApp or Blueprint when the expression makes one."""
        if not isinstance(node, ast.Call):
            return None
        name = _last_name(node.func)
        if isinstance(node.func, ast.Name) and name in module.imports:
            name = module.imports[name][1]
        return name if name in _CONTAINERS else None

    def _say(self, module: Module, node: _Located, what: str) -> None:
        self.unknown.append(f"{module.path} line {node.lineno} {what}")


_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_Located = ast.expr | ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(root: ast.AST, *, conditional: bool) -> Iterator[tuple[_Definition, bool]]:
    """Every function definition, and whether it stands below an `if` or a loop. No recursion: trees may be deep."""
    waiting: list[tuple[ast.AST, bool]] = [(root, conditional)]
    while waiting:
        node, under = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, under
        inside = under or isinstance(node, ast.If | ast.For | ast.While | ast.Try | ast.Match)
        # pop() takes the last: reversed, so that functions come in the order of the source
        waiting.extend((child, inside) for child in reversed(list(ast.iter_child_nodes(node))))


def _is_trigger(attribute: str) -> bool:
    return attribute in _BINDINGS or attribute.endswith("_trigger")


def _binding_type(attribute: str) -> str:
    first, *rest = attribute.split("_")
    return _BINDINGS.get(attribute) or first + "".join(part.capitalize() for part in rest)


def _is_other_framework(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _last_name(node.func) in ("Flask", "FastAPI", "APIRouter", "Starlette")


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
