"""What users may import, and what this package takes from SQLAlchemy and from its drivers."""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy

from naked_sqla.backends.base import Backend
from tools import async_to_sync

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "naked_sqla"
DOOR = sorted((PACKAGE / "_sqlalchemy").glob("*.py"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path not in DOOR)

# Underscored, and yet documented as public: of rows and named tuples.
DOCUMENTED = frozenset(
    {"_asdict", "_field_defaults", "_fields", "_make", "_mapping", "_replace", "_t", "_tuple"}
)


# ---------------------------------------------------------------- what users import


def test_exported_names() -> None:
    import naked_sqla

    assert sorted(naked_sqla.__all__) == [
        "AsyncNotifications",
        "AsyncSession",
        "AsyncSessionFactory",
        "BaseNakedSQLAException",
        "CommitOutcomeUnknown",
        "ConcurrentSessionUse",
        "ConversionError",
        "Health",
        "InvalidBind",
        "InvalidCursor",
        "InvalidSessionState",
        "InvalidStatement",
        "KeysetPage",
        "NotLoadedError",
        "Notification",
        "Notifications",
        "PageNotFound",
        "Pagination",
        "PartialCommit",
        "Recovery",
        "Relinked",
        "RowExcluded",
        "RowGone",
        "RowMismatch",
        "Session",
        "SessionFactory",
        "SyncKeysetPage",
        "SyncPagination",
        "TransactionRolledBack",
        "TransactionTimeout",
        "UnknownAttribute",
        "UnsupportedOption",
        "VersionConflict",
        "ViolatedConstraint",
        "Write",
        "constraint_of",
        "to_naked",
        "to_orm",
    ]
    assert [name for name in naked_sqla.__all__ if not hasattr(naked_sqla, name)] == []


def test_every_error_is_exported() -> None:
    import naked_sqla
    from naked_sqla import exception

    assert set(exception.__all__) <= set(naked_sqla.__all__)
    for name in exception.__all__:
        assert issubclass(getattr(naked_sqla, name), naked_sqla.BaseNakedSQLAException)


def test_version_is_that_of_the_project() -> None:
    import naked_sqla

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert naked_sqla.__version__ == project["version"]


def test_the_import_path_that_is_documented_elsewhere() -> None:
    import naked_sqla
    from naked_sqla.om.asession import AsyncSession, AsyncSessionFactory, InvalidSessionState

    assert AsyncSession is naked_sqla.AsyncSession
    assert AsyncSessionFactory is naked_sqla.AsyncSessionFactory
    assert InvalidSessionState is naked_sqla.InvalidSessionState


def test_import_takes_no_driver_and_no_framework() -> None:
    code = "import sys, naked_sqla; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    optional = {
        "aiosqlite",
        "asyncpg",
        "attr",
        "fastapi",
        "msgspec",
        "naked_sqla.observers",
        "opentelemetry",
        "psycopg",
        "pydantic",
        "sqlmodel",
    }
    assert optional & set(done.stdout.split()) == set()


def imports_of(path: Path, names: frozenset[str] | None = None) -> set[str]:
    """Give the modules that a module imports, also in functions and for type checkers.

    :param names: those that count; all of the package.
    """
    names = frozenset(map(module_name, [*MODULES, *DOOR])) if names is None else names
    package = (
        module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    )
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                dotted = f"{source}.{alias.name}"
                found.add(dotted if dotted in names else source)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found & names


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize(
    ("written", "printed"), [*async_to_sync.pairs()], ids=lambda path: path.name
)
def test_the_synchronous_face_is_printed_from_the_asynchronous_one(
    written: Path, printed: Path
) -> None:
    """``make check`` compares the text; without ruff only imports may differ."""
    is_there = printed.read_text()
    assert is_there.startswith(f"# Generated from {written.relative_to(ROOT)} by tools/")
    assert _without_imports(is_there) == _without_imports(async_to_sync.raw(written))


def _without_imports(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [line for line in body if not isinstance(line, (ast.Import, ast.ImportFrom))]
    return ast.unparse(tree)


# The folders and modules of the package from the bottom: each imports from those before it.
LAYERS = (
    "hiding",
    "exception",
    "observers",
    "_cache",
    "_frozen",
    "_sqlalchemy",
    "backends",
    "constraints",
    "objects",
    "read",
    "write",
    "into",
    "pages",
    "sessions",
    "om",
)

# read/statement.py is the way in for every statement, and hands INSERT, UPDATE and DELETE on.
UPWARDS = {("naked_sqla.read.statement", "naked_sqla.write.statement")}


def test_imports_point_in_one_direction() -> None:
    graph = {module_name(path): imports_of(path) for path in [*MODULES, *DOOR]}
    order = [*graphlib.TopologicalSorter(graph).static_order()]
    # What is for a framework, or for tests, is built on what users import.
    on_top = [name for name in order if name.startswith(("naked_sqla.ext", "naked_sqla.testing"))]
    assert [name for name in order if name not in on_top][-1] == "naked_sqla"
    below = [name for name in graph if name not in [*on_top, "naked_sqla", "naked_sqla.view"]]
    layers = {name: LAYERS.index(name.split(".")[1]) for name in below}
    upwards = {
        (name, other)
        for name, others in graph.items()
        for other in others & layers.keys()
        if name in layers and layers[name] < layers[other]
    }
    assert upwards == UPWARDS


def test_the_map_names_each_module() -> None:
    """Each folder and module of the package, in the part of the page on the folder it is in."""
    page = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    parts = re.split(r"^##+ ", page, flags=re.MULTILINE)

    def part_on(folder: Path) -> str:
        label = "`naked_sqla/`" if folder == PACKAGE else f"`{folder.relative_to(PACKAGE)}/`"
        found = [part for part in parts if label in part.partition("\n")[0]]
        return found[0] if found else part_on(folder.parent)

    for path in [*MODULES, *DOOR]:
        module = path.parent if path.name == "__init__.py" else path
        if module != PACKAGE and PACKAGE / "sessions" / "_sync" not in module.parents:
            name = f"{module.stem}/" if module.is_dir() else module.stem
            assert f"`{name}`" in part_on(module.parent), f"docs/map.md does not name {module}"


def test_contributing_names_each_fact_and_hook_of_a_database() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Adding a database")[2].partition("## Adding a driver")[0]
    named = set(re.findall(r"`(\w+)(?:\(\))?`", table))
    assert {name for name in dir(Backend) if not name.startswith("__")} <= named


def test_modules_are_read_in_one_sitting() -> None:
    printed = {path for _, path in async_to_sync.pairs()}
    lengths = {
        module_name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in {*MODULES, *DOOR} - printed
    }
    assert {name: lines for name, lines in lengths.items() if lines > 350} == {}


def test_no_two_classes_have_one_name() -> None:
    printed = {path for _, path in async_to_sync.pairs()}
    homes: dict[str, list[str]] = {}
    for path in {*MODULES, *DOOR} - printed:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not is_private(node.name):
                homes.setdefault(node.name, []).append(module_name(path))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_benchmarks_import_each_other_in_one_direction() -> None:
    paths = {module_name(path): path for path in (ROOT / "benchmarks").glob("*.py")}
    names = frozenset(paths)
    graph = {name: imports_of(path, names) - {name} for name, path in paths.items()}
    order = [*graphlib.TopologicalSorter(graph).static_order()]
    assert set(order) == names


# ---------------------------------------------------------------- private names of SQLAlchemy


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_of_sqlalchemy(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == "sqlalchemy"


def private_imports(tree: ast.AST) -> Iterator[str]:
    """Give each import that takes a private module or name of SQLAlchemy."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if is_of_sqlalchemy(name) and any(map(is_private, name.split("."))):
                yield f"line {node.lineno}: imports {name}"


def own_names(tree: ast.AST) -> Iterator[str]:
    """Give the private names that a module defines: functions, variables, attributes, slots."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=value):
                yield from (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))


def private_reads(tree: ast.AST, own: frozenset[str]) -> Iterator[str]:
    """Give each private attribute read that is none of the package's ``own`` names."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                pass
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr" | "delattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                pass
            case _:
                continue
        if is_private(name) and name not in own | DOCUMENTED:
            yield f"line {node.lineno}: reads .{name}"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def names_of_the_package() -> frozenset[str]:
    return frozenset(name for path in MODULES for name in own_names(parsed(path)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_enter_through_the_door_only(path: Path) -> None:
    found = [*private_imports(parsed(path)), *private_reads(parsed(path), names_of_the_package())]
    assert found == [], f"{path.name} passes by naked_sqla/_sqlalchemy/"


def test_the_check_sees_what_it_is_for() -> None:
    bad = """
from sqlalchemy.orm.context import _MapperEntity
from sqlalchemy.engine._util import tuplegetter
import sqlalchemy.engine._processors
statement._annotate({})
getattr(compiled, "_result_columns")
"""
    tree = ast.parse(bad)
    assert len([*private_imports(tree), *private_reads(tree, frozenset())]) == 5
    good = """
from sqlalchemy import select
class A:
    __slots__ = ("_x",)
    def get(self, row):
        return self._x, row._mapping, row.__class__
"""
    tree = ast.parse(good)
    assert [*private_imports(tree), *private_reads(tree, frozenset(own_names(tree)))] == []


# ---------------------------------------------------------------- what the door needs


@dataclass(frozen=True)
class Need:
    """What ``_sqlalchemy/`` takes, by its dotted path: one of the alternatives has to exist."""

    alternatives: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(self.alternatives)

    def is_met(self) -> bool:
        return any(map(exists, self.alternatives))


def exists(path: str) -> bool:
    """Whether a dotted path leads to a module, or to a name of a module."""
    module, _, name = path.rpartition(".")
    try:
        importlib.import_module(path)
    except ImportError:
        try:
            return hasattr(importlib.import_module(module), name)
        except ImportError:
            return False
    return True


def is_module(path: str) -> bool:
    try:
        importlib.import_module(path)
    except ImportError:
        return False
    return True


def imported_names(tree: ast.Module) -> Iterator[Need]:
    """Give what is imported; imports to the same name (try, if) are each other's alternatives."""
    bound: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_of_sqlalchemy(node.module):
            for alias in node.names:
                path = f"{node.module}.{alias.name}"
                bound.setdefault(alias.asname or alias.name, []).append(path)
    for alternatives in bound.values():
        yield Need(tuple(dict.fromkeys(alternatives)))


def imported_modules(tree: ast.Module) -> dict[str, str]:
    """Give the names that stand for modules of SQLAlchemy, and the path of each."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_of_sqlalchemy(node.module):
            for alias in node.names:
                if is_module(path := f"{node.module}.{alias.name}"):
                    found[alias.asname or alias.name] = path
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if is_of_sqlalchemy(alias.name):
                    root = alias.asname or "sqlalchemy"
                    found[root] = alias.name if alias.asname else "sqlalchemy"
    return found


def path_of(node: ast.AST, modules: dict[str, str]) -> str | None:
    """Give the path that an expression reads; only the names of modules are followed."""
    match node:
        case ast.Name(id=name):
            return modules.get(name)
        case ast.Attribute(value=owner, attr=name):
            pass
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(str(name)), *_]):
            pass
        case _:
            return None
    path = path_of(owner, modules)
    return f"{path}.{name}" if path is not None and is_module(path) else None


def names_read_from_modules(tree: ast.Module) -> Iterator[Need]:
    """Give what is read as ``module.name``; the parts of an ``or`` are alternatives."""
    modules = imported_modules(tree)

    def reads(node: ast.AST) -> Iterator[str]:
        path = path_of(node, modules)
        if path is not None and not isinstance(node, ast.Name):
            yield path
            return
        for child in ast.iter_child_nodes(node):
            yield from reads(child)

    def needs(node: ast.AST) -> Iterator[Need]:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            if found := tuple(reads(node)):
                yield Need(found)
        elif (path := path_of(node, modules)) is not None and not isinstance(node, ast.Name):
            yield Need((path,))
        else:
            for child in ast.iter_child_nodes(node):
                yield from needs(child)

    yield from needs(tree)


def the_door() -> ast.Module:
    """Give all of ``_sqlalchemy/`` as one module."""
    return ast.Module([node for path in DOOR for node in parsed(path).body], type_ignores=[])


def test_nothing_that_the_door_needs_is_gone() -> None:
    tree = the_door()
    needs = {*imported_names(tree), *names_read_from_modules(tree)}
    assert len(needs) > 5
    gone = sorted(str(need) for need in needs if not need.is_met())
    assert gone == [], f"gone from SQLAlchemy {sqlalchemy.__version__}"


def attributes_read(node: ast.AST) -> Iterator[frozenset[str]]:
    """Give the private attributes that are read; the parts of an ``or`` are alternatives."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        names = frozenset(name for part in ast.walk(node) for name in attribute_of(part))
        if any(map(is_private, names)):
            yield names
        return
    # A getattr() that stands alone has a default, for when there is no such name.
    if isinstance(node, ast.Attribute) and is_private(node.attr):
        yield frozenset({node.attr})
    for child in ast.iter_child_nodes(node):
        yield from attributes_read(child)


def attribute_of(node: ast.AST) -> Iterator[str]:
    """Give the name that ``x.name`` or ``getattr(x, "name")`` reads."""
    match node:
        case ast.Attribute(attr=name):
            yield name
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(str(name)), *_]):
            yield name


def test_no_private_attribute_that_the_door_reads_is_gone() -> None:
    """An attribute of an object can't be looked up, but its name has to be in the sources."""
    tree = the_door()
    # What is read from a module is the business of the test above.
    modules = {str(need).rpartition(".")[2] for need in names_read_from_modules(tree)}
    fine = {*own_names(tree), *modules}
    folder = Path(sqlalchemy.__file__).parent
    sources = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    fine.update(re.findall(r"\w+", sources))
    gone = {names for names in attributes_read(tree) if not names & fine}
    assert sorted(map(sorted, gone)) == [], f"gone from SQLAlchemy {sqlalchemy.__version__}"


def test_attributes_that_are_alternatives() -> None:
    tree = ast.parse('getattr(x, "_new", None) or x._old; y._plain; getattr(z, "_maybe", None)')
    assert set(attributes_read(tree)) == {frozenset({"_new", "_old"}), frozenset({"_plain"})}


def test_a_name_that_is_gone_is_named() -> None:
    bad = """
from sqlalchemy.orm import context as _context
try:
    from sqlalchemy.orm.context import _NoSuchThing as Thing
except ImportError:
    from sqlalchemy.orm.context import NoSuchThing as Thing
State = getattr(_context, "_ORMCompileState", None) or _context.ORMCompileState
Other = _context._no_such_function
import sqlalchemy
_Shim = getattr(sqlalchemy.util.concurrency, "_no_shim", None) or sqlalchemy.util.no_such_module.x
"""
    tree = ast.parse(bad)
    needs = {*imported_names(tree), *names_read_from_modules(tree)}
    assert sorted(str(need) for need in needs if not need.is_met()) == [
        "sqlalchemy.orm.context._NoSuchThing or sqlalchemy.orm.context.NoSuchThing",
        "sqlalchemy.orm.context._no_such_function",
        "sqlalchemy.util.concurrency._no_shim or sqlalchemy.util.no_such_module",
    ]
