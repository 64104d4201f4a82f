"""The habits of the code that can be checked by reading it: who imports whom, how long things are, what importing does.

Belongs here: rules about the whole package. Does not belong here: what any module does.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "odyssey_assets"
ENGINE = ("model", "source", "target", "compare", "sync", "preflight")
DAGSTER_LAYER = {
    "definitions", "assets", "checks", "jobs", "schedules", "sensors", "resources", "instance", "launch",
    "metadata", "backup_assets", "cancellation", "cutover_job", "preflight_check", "run_history", "run_launcher",
    "executors", "run_logs", "source_assets", "upkeep", "versions", "waiting",
}  # fmt: skip
NOT_KNOWN: dict[str, tuple[str, ...]] = {
    "model": ("source", "target", "compare", "sync", "preflight", "sample", "report"),
    "source": ("target", "compare", "sync", "preflight", "report"),
    "target": ("source", "compare", "sync", "preflight", "report"),
    "compare": ("sync", "preflight", "report", "source.snapshot", "source.reader", "target.writer", "target.rebuild"),
    "sync": ("report",),
    "sample": ("target", "compare", "sync", "preflight", "report"),
}
"""What must not be imported: data flows from source to target, and the two do not know each other."""

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60
RUNNING = {"execute", "executemany", "executescript", "query", "stream", "adbc_ingest", "connect", "cursor"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's dotted name within the package; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name_of(path)} has a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls_of(function: ast.AST) -> Iterator[str]:
    """Names of the functions and methods that are called."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_only_the_dagster_layer_imports_dagster() -> None:
    found = {
        name_of(path): each
        for path in modules()
        for each in imports_of(path)
        if each.split(".")[0].startswith("dagster") and name_of(path) not in DAGSTER_LAYER
    }
    assert found == {}


def test_only_the_command_line_imports_click() -> None:
    importing = {name_of(path) for path in modules() if any(is_in(each, "click") for each in imports_of(path))}
    assert {name for name in importing if name != "cli" and not is_in(name, "commands")} == set()


def test_the_engine_does_not_know_what_is_above_it() -> None:
    found = []
    for path in modules():
        package = name_of(path).split(".")[0]
        above = (*DAGSTER_LAYER, "cli", "commands", "console") if package in (*ENGINE, "sample") else ()
        forbidden = [f"odyssey_assets.{name}" for name in (*NOT_KNOWN.get(package, ()), *above)]
        found += [(name_of(path), each) for each in imports_of(path) for name in forbidden if is_in(each, name)]
    assert found == []


def test_a_module_says_what_belongs_there() -> None:
    silent = [name_of(path) for path in modules() if path.read_text().strip() and not ast.get_docstring(tree_of(path))]
    assert silent == []


def test_files_and_functions_are_short() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > MOST_FILE_LINES} == {}
    functions = {
        f"{name_of(path)}.{each.name}": (each.end_lineno or each.lineno) - each.lineno + 1
        for path in modules()
        for each in functions_of(path)
    }
    assert {name: count for name, count in functions.items() if count > MOST_FUNCTION_LINES} == {}
    assert (len(lines) > 50, len(functions) > 300) == (True, True)


def test_functions_that_end_in_sql_run_nothing() -> None:
    running = {
        f"{name_of(path)}.{function.name}": called & RUNNING
        for path in modules()
        for function in functions_of(path)
        if function.name.endswith("_sql") and (called := set(calls_of(function))) & RUNNING
    }
    assert running == {}


def test_one_helper_quotes_every_identifier() -> None:
    quoting = {
        name_of(path)
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and node.value == '""'
    }
    assert quoting == {"model.identifiers"}


IMPORT_ALL = """
import importlib, json, os, sys

names = json.loads(sys.argv[1])
for name in names:
    importlib.import_module(name)
libraries = sorted({name.split(".")[0] for name in sys.modules})
for name in [each for each in sys.modules if each.split(".")[0] == "odyssey_assets"]:
    del sys.modules[name]

touched = []
watched = ("socket.", "sqlite3.connect", "subprocess.", "os.mkdir", "os.remove", "os.rename", "os.system", "os.putenv")
is_watching = True

def watch(event, arguments):
    if not is_watching:
        return
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc", ".so")):
        touched.append(f"open {arguments[0]}")
    elif event.startswith(watched):
        touched.append(f"{event} {arguments}")

def note(name):
    frame = sys._getframe(2)
    while frame.f_globals["__name__"] == "os":
        frame = frame.f_back
    if frame.f_globals["__name__"].split(".")[0] == "odyssey_assets":
        touched.append(f"environ {name}")

class Environment(dict):
    def __getitem__(self, name):
        note(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        note(name)
        return super().get(name, default)

os.environ = Environment(os.environ)
sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
is_watching = False
print(json.dumps({"touched": touched, "libraries": libraries}))
"""


def imported(names: list[str]) -> dict[str, list[str]]:
    """What importing the modules touches, once the libraries they use are there."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, json.dumps(names)], capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_importing_the_engine_touches_nothing_and_loads_no_dagster() -> None:
    packages = (*ENGINE, "sample", "configuration", "errors", "findings", "prefetch")
    names = [f"odyssey_assets.{name_of(path)}" for path in modules() if name_of(path).split(".")[0] in packages]
    assert len(names) > 50
    found = imported(names)
    assert found["touched"] == []
    assert {"dagster", "click", "hypothesis", "pytest"} & set(found["libraries"]) == set()


def test_importing_the_whole_package_touches_nothing() -> None:
    names = [f"odyssey_assets.{name_of(path)}".rstrip(".") for path in modules() if path.stem != "__main__"]
    assert imported(names)["touched"] == []


def test_a_module_that_did_touch_something_would_be_seen(tmp_path: Path) -> None:
    """The watch itself: without this test it could be blind."""
    package = tmp_path / "odyssey_assets"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import os, socket, sqlite3\n"
        "os.environ.get('POSTGRES_URL')\n"
        "os.getenv('HOME')\n"
        f"open({str(tmp_path / 'file.txt')!r}, 'a').close()\n"
        "sqlite3.connect(':memory:').close()\n"
        "socket.socket().close()\n"
    )
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + IMPORT_ALL
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, '["odyssey_assets"]'], capture_output=True, text=True, check=True
    )
    touched = json.loads(done.stdout)["touched"]
    assert [each.split()[0] for each in touched] == [
        "environ",
        "environ",
        "open",
        "sqlite3.connect",
        "sqlite3.connect/handle",
        "socket.__new__",
    ]
