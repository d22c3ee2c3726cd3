"""What Python files say about an application, by reading them: nothing of a project is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

# Names under which applications are usually kept, the likeliest first.
_MODULES = ("main", "app", "asgi", "api", "server", "application", "run", "wsgi")
_SKIPPED = {"tests", "test", "docs", "node_modules", "build", "dist", "target", "venv", "site-packages", "__pycache__"}


def parse(path: Path) -> ast.Module | None:
    """The syntax tree; None where the file can't be read or is no Python."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def candidate_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(import path, file) of the modules that may hold an application: here, in `src`, and one package down."""
    for root in (folder, folder / "src"):
        packages = [root, *_packages(root)]
        for place in packages:
            for name in (*_MODULES, "__init__"):
                file = place / f"{name}.py"
                if file.is_file() and not (name == "__init__" and place == root):
                    parts = [] if place == root else [place.name]
                    yield ".".join(parts + ([] if name == "__init__" else [name])), file


def _packages(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    names = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    return [entry for entry in names if entry.name not in _SKIPPED and entry.name != "src"]


def find_call(tree: ast.Module, constructors: Collection[str], package: str) -> str | None:
    """The module-level name that is assigned a call of one of the constructors, imported from `package`."""
    names = _imported(tree, constructors, package)
    for target, value in _assignments(tree):
        if isinstance(value, ast.Call) and _dotted(value.func) in names:
            return target
    return None


def find_application(tree: ast.Module, parameters: tuple[str, ...]) -> str | None:
    """The module-level function with exactly these parameters, the calling convention of a server interface."""
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for function in functions:
        if tuple(argument.arg for argument in function.args.args) == parameters:
            return function.name
    return None


def calls_method(tree: ast.Module, name: str, method: str) -> bool:
    """True where `name.method(…)` is called anywhere in the module."""
    return any(isinstance(node, ast.Call) and _dotted(node.func) == f"{name}.{method}" for node in ast.walk(tree))


def string_value(tree: ast.Module, name: str) -> str | None:
    """The string a module-level name is assigned."""
    for target, value in _assignments(tree):
        if target == name and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def strings(tree: ast.Module) -> Iterator[str]:
    """Every string in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def declares(folder: Path, package: str) -> bool:
    """True where the project's own files ask for this package by name: as a dependency or in a start command."""
    wanted = re.compile(rf"(?<![\w-]){re.escape(package)}(?![\w-])", re.IGNORECASE)
    files = [folder / "pyproject.toml", folder / "Procfile", *sorted(folder.glob("requirements*.txt"))]
    for file in files:
        try:
            if wanted.search(file.read_text(errors="replace")):
                return True
        except OSError:
            continue
    return False


def _imported(tree: ast.Module, constructors: Collection[str], package: str) -> set[str]:
    """How the constructors are called in this module, after its imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            names.update(alias.asname or alias.name for alias in node.names if alias.name in constructors)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == package:
                    names.update(f"{alias.asname or alias.name}.{constructor}" for constructor in constructors)
    return names


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""
