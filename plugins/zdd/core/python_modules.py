"""The Python modules of a package as syntax trees: imports followed, plain constants resolved, nothing ever run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from zdd.core.archive import Archive
from zdd.exceptions import BadInput

_SITE_PACKAGES = ".python_packages/lib/site-packages/"
_MODULE_LIMIT = 2 * 1024 * 1024
_MODULES = 1000
_DEPTH = 12
# Steps for following names in one package: sources can be written so that following them all never ends.
_STEPS = 100_000


@dataclass(frozen=True)
class Target:
    """What a name stands for: an expression in a module, or a whole module (`node` None)."""

    module: Module
    node: ast.expr | None


@dataclass
class Module:
    """One parsed file with the names that its top level binds."""

    name: str
    path: str
    tree: ast.Module
    is_package: bool
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    assigned: dict[str, list[ast.expr]] = field(default_factory=dict)
    looped: dict[str, ast.expr] = field(default_factory=dict)

    def absolute(self, module: str | None, level: int) -> str:
        """The full name of a module that an import statement in this one means."""
        if level == 0:
            return module or ""
        base = self.name.split(".")
        if not self.is_package:
            base = base[:-1]
        base = base[: len(base) - (level - 1)] if level > 1 else base
        return ".".join([*base, *([module] if module else [])])


class Modules:
    """Modules of an archive, parsed when asked for. What cannot be parsed is remembered in `unknown`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._paths: dict[str, str] = {}
        self._parsed: dict[str, Module | None] = {}
        self._steps = 0
        self.unknown: list[str] = []
        for path in sorted(archive.names, key=lambda name: name.startswith(_SITE_PACKAGES), reverse=True):
            plain = path.removeprefix(_SITE_PACKAGES)
            if plain.endswith(".py") and not plain.startswith("."):
                self._paths[plain.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = path

    def get(self, name: str) -> Module | None:
        """A module by its full name; None when the package does not bring it or it cannot be read."""
        path = self._paths.get(name)
        if path is None:
            return None
        if name not in self._parsed:
            self._parsed[name] = self._parse(name, path) if len(self._parsed) < _MODULES else None
            if len(self._parsed) == _MODULES:
                self.unknown.append(f"more than {_MODULES} modules are imported: the rest was not read")
        return self._parsed[name]

    def is_vendored(self, name: str) -> bool:
        """True for a module of a library that the package brings along."""
        return self._paths.get(name, "").startswith(_SITE_PACKAGES)

    def reachable(self, start: str) -> Iterator[Module]:
        """The module and everything that it imports, directly or not, out of the app's own files."""
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop(0)
            if name in seen or self.is_vendored(name):
                continue
            seen.add(name)
            module = self.get(name)
            if module is None:
                continue
            yield module
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Import):
                    waiting += [part for alias in node.names for part in _with_parents(alias.name)]
                elif isinstance(node, ast.ImportFrom):
                    source = module.absolute(node.module, node.level)
                    waiting += _with_parents(source) + [f"{source}.{alias.name}" for alias in node.names]

    def resolve(self, module: Module, node: ast.expr, depth: int = 0) -> Target | None:
        """Follow a name or attribute to the one expression that it was given, over imports. None: not to be told."""
        if self._too_far(depth):
            return None
        if isinstance(node, ast.Name):
            return self._resolve_name(module, node.id, depth + 1)
        if isinstance(node, ast.Attribute):
            owner = self.resolve(module, node.value, depth + 1)
            if owner is None or owner.node is not None:
                return None
            return self._member(owner.module, node.attr, depth + 1)
        return Target(module, node)

    def literal(self, module: Module, node: ast.expr, depth: int = 0) -> str | None:
        """The text of an expression that is plainly a constant; None when only running the code would tell."""
        if self._too_far(depth):
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.FormattedValue):
            plain = node.conversion == -1 and node.format_spec is None
            return self.literal(module, node.value, depth + 1) if plain else None
        if isinstance(node, ast.JoinedStr):
            return self._joined(module, node.values, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined(module, [node.left, node.right], depth)
        if isinstance(node, ast.Name | ast.Attribute):
            target = self.resolve(module, node)
            if target and target.node is not None and not isinstance(target.node, ast.Name | ast.Attribute):
                return self.literal(target.module, target.node, depth + 1)
        return None

    def _joined(self, module: Module, nodes: list[ast.expr], depth: int) -> str | None:
        parts = [self.literal(module, node, depth + 1) for node in nodes]
        text = "".join(part for part in parts if part)
        return None if any(part is None for part in parts) or len(text) > 1000 else text

    def _too_far(self, depth: int) -> bool:
        self._steps += 1
        if self._steps == _STEPS:
            self.unknown.append("names refer to each other beyond any sensible measure: not all were followed")
        return depth > _DEPTH or self._steps >= _STEPS

    def _resolve_name(self, module: Module, name: str, depth: int) -> Target | None:
        if self._too_far(depth):
            return None
        given = module.assigned.get(name)
        if given:
            return self.resolve(module, given[0], depth) if len(given) == 1 else None
        if name in module.imports:
            source, attribute = module.imports[name]
            owner = self.get(source)
            if attribute is None:
                return Target(owner, None) if owner else None
            inner = self._member(owner, attribute, depth) if owner else None
            submodule = None if inner else self.get(f"{source}.{attribute}")
            return Target(submodule, None) if submodule else inner
        for source in module.stars:
            owner = self.get(source)
            if owner and (target := self._resolve_name(owner, name, depth + 1)):
                return target
        return None

    def _member(self, module: Module, name: str, depth: int) -> Target | None:
        target = self._resolve_name(module, name, depth + 1)
        if target is None and (submodule := self.get(f"{module.name}.{name}")):
            return Target(submodule, None)
        return target

    def _parse(self, name: str, path: str) -> Module | None:
        try:
            source = self._archive.read(path, limit=_MODULE_LIMIT)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            self.unknown.append(f"{path} cannot be parsed here ({type(error).__name__}{line})")
            return None
        except BadInput as error:
            self.unknown.append(str(error))
            return None
        module = Module(name, path, tree, is_package=path.endswith("/__init__.py"))
        for node in ast.walk(tree):
            _bind(module, node)
        return module


def _bind(module: Module, node: ast.AST) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            module.imports[bound] = (alias.name if alias.asname else bound, None)
    elif isinstance(node, ast.ImportFrom):
        source = module.absolute(node.module, node.level)
        for alias in node.names:
            if alias.name == "*":
                module.stars.append(source)
            else:
                module.imports[alias.asname or alias.name] = (source, alias.name)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                module.assigned.setdefault(target.id, []).append(node.value)
    elif isinstance(node, ast.NamedExpr | ast.AugAssign) and isinstance(node.target, ast.Name):
        module.assigned.setdefault(node.target.id, []).extend([node.value, node.value])
    elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
        module.looped[node.target.id] = node.iter


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
