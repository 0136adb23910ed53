"""The architecture, held against the code: who imports whom, which library where, and how large things may be."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "media", "schedules", "rooms", "attendance", "replays", "learning", "signaling", "app")
LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 60
LINES_OF_WSGI = 30

# docs/overview.md, "who may import whom". A dotted name allows that module only.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "core": (),
    "media": ("core",),
    "schedules": ("core",),
    "rooms": ("core",),
    "attendance": ("core", "rooms.events", "rooms.state"),
    "replays": ("core", "rooms.events", "rooms.state"),
    "learning": ("core",),
    "signaling": ("core", "rooms", "media.control", "media.client"),
    "app": PACKAGES,
}
AIORTC_FILES_MAX = 2  # with its live objects; its value types (aiortc.rtp) are free within media


def sources(*packages: str) -> list[Path]:
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, also inside functions: `from rooms import events` gives rooms.events."""
    package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = f"{package}.{base}".rstrip(".")
            modules = [f"{base}.{alias.name}" for alias in node.names if is_module(f"{base}.{alias.name}")]
            yield from modules or [base]


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


def test_each_package_imports_only_what_the_design_lets_it() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for package, allowed in MAY_IMPORT.items()
        for path in sources(package)
        for module in imports(path)
        if module.split(".")[0] in PACKAGES
        and not within(module, package)
        and not any(within(module, a) for a in allowed)
    ]
    assert wrong == []


def test_nothing_imports_app() -> None:
    others = [package for package in PACKAGES if package != "app"]
    assert [name(p) for p in sources(*others) for m in imports(p) if within(m, "app")] == []


def test_flask_is_known_only_to_views_signaling_and_app() -> None:
    wrong = [
        name(path)
        for path in sources(*PACKAGES)
        for module in imports(path)
        if module.split(".")[0].startswith("flask")
        and path.name != "views.py"
        and path.relative_to(ROOT).parts[0] not in ("signaling", "app")
    ]
    assert wrong == []


def test_sql_is_known_only_to_models_services_and_core() -> None:
    allowed_in_app = {"app/schema.py", "app/tables.py"}  # migrations, metadata
    wrong = [
        name(path)
        for path in sources(*PACKAGES)
        for module in imports(path)
        if within(module, "sqlalchemy")
        and path.name != "models.py"
        and not path.name.endswith("service.py")
        and path.relative_to(ROOT).parts[0] != "core"
        and name(path) not in allowed_in_app
    ]
    assert wrong == []


def test_eventlet_and_gevent_are_known_only_to_wsgi() -> None:
    everything = sources(*PACKAGES) + [p for p in ROOT.glob("*.py") if p.name != "wsgi.py"]
    green = ("eventlet", "gevent")
    assert [name(p) for p in everything for m in imports(p) if m.split(".")[0] in green] == []


def test_live_objects_of_aiortc_stay_in_two_files_of_media() -> None:
    values = ("aiortc.rtp", "aiortc.sdp", "aiortc.rtcrtpparameters", "aiortc.codecs", "aiortc.utils")
    live = {
        name(path)
        for path in sources(*PACKAGES)
        for module in imports(path)
        if module.split(".")[0] in ("aiortc", "aioice") and not any(within(module, v) for v in values)
    }
    srtp = {name(path) for path in sources(*PACKAGES) for module in imports(path) if within(module, "pylibsrtp")}
    assert all(path.startswith("media/") for path in live | srtp), live | srtp
    assert len(live) <= AIORTC_FILES_MAX, live
    assert len(srtp) <= AIORTC_FILES_MAX, srtp


def test_the_media_node_knows_no_sql_no_flask() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in sources("media")
        for module in imports(path)
        if module.split(".")[0] in ("sqlalchemy", "flask", "flask_socketio", "core.db", "alembic")
        or within(module, "core.db")
        or within(module, "core.journal")
    ]
    assert wrong == []


def test_there_is_no_import_circle() -> None:
    graph = {module_of(path): set(top_level_imports(path)) for path in sources(*PACKAGES)}
    done: set[str] = set()
    circles = []

    def walk(module: str, trail: tuple[str, ...]) -> None:
        if module in trail:
            circles.append(" -> ".join((*trail[trail.index(module) :], module)))
        elif module not in done:
            for other in sorted(graph.get(module, ())):
                walk(other, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())
    assert circles == []


def top_level_imports(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    later = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) or is_for_types_only(n)]
    inside = {id(n) for block in later for n in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (n if is_module(n) else node.module for n in names)


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def module_of(path: Path) -> str:
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_no_file_is_too_long() -> None:
    scripts = [p for p in (ROOT / "static" / "js").rglob("*.js")]
    files = sources(*PACKAGES, "bench", "tests") + scripts
    long = {name(p): n for p in files if (n := len(p.read_text("utf-8").splitlines())) > LINES_OF_A_FILE}
    assert long == {}
    assert len((ROOT / "wsgi.py").read_text("utf-8").splitlines()) <= LINES_OF_WSGI


def test_no_function_is_too_long() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}: {length} lines"
        for path in sources(*PACKAGES, "bench", "tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LINES_OF_A_FUNCTION
    ]
    assert long == []


def test_no_file_is_named_for_being_useful() -> None:
    attics = {"util.py", "utils.py", "helpers.py", "helper.py", "manager.py", "misc.py", "common.py"}
    assert [name(p) for p in sources(*PACKAGES, "bench", "tests") if p.name in attics] == []


def test_every_test_has_a_name_that_pytest_collects() -> None:
    """A function with asserts that is neither a test, nor used by one, never runs and says nothing."""
    dead = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in sources("tests")
        if path.name.startswith("test_")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("test_")
        and not node.decorator_list
        and path.read_text("utf-8").count(node.name) == 1
    ]
    assert dead == []


def test_nobody_waits_for_a_promise_that_playwright_takes_for_true() -> None:
    """`wait_for_function` of Playwright does not await what its function returns: a promise ends the wait at once."""
    promises = [
        f"{name(path)}:{node.lineno}"
        for path in sources("bench", "tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "wait_for_function"
        and re.search(r"async|await|then\(|Promise", ast.unparse(node))
    ]
    assert promises == []


@pytest.mark.parametrize("package", ["core", "rooms", "schedules", "attendance", "replays", "media.control"])
def test_a_lower_package_can_be_imported_alone(package: str) -> None:
    code = f"import sys, {package}; assert 'app' not in sys.modules and 'flask_socketio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
