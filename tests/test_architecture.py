"""The rules of ARCHITECTURE.md, read off the imports."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "fmcgan"
FILES = sorted(SOURCE.rglob("*.py"))
BESIDE = [file for room in ("benchmarks", "study") for file in sorted((SOURCE.parents[1] / room).glob("*.py"))]

LEAVES = {"app.escaping", "checks", "devices", "environment", "errors", "run_folder", "data.classes", "data.images"}
ENTRIES = {"train", "evaluate", "generate", "export", "analyze", "compare"}
MAY_IMPORT = {
    "app": {"config_dir"},
    "data": set(),
    "layer": set(),
    "conditioning": {"layer"},
    "network": {"conditioning", "layer"},
    "loss": set(),
    "penalty": set(),
    "augment": set(),
    "regularizer": set(),
    "schedule": set(),
    "training": {"layer"},
    "metric": set(),
    "figure": set(),
    "analysis": {"metric", "figure", "training"},
    "report": {"analysis", "figure", "metric"},
    "callback": {"metric", "training", "figure"},
    "generator": {"generator_file", "generator_network", "training", "trust"},
    "generator_network": {"training"},
    "generator_file": {"training"},
    "onnx_file": set(),
    "trust": set(),
    "browser": {"report"},
    "pretrained": set(),  # weights and what they are, no code
    "evaluated": {"generator", "generator_file", "metric", "training", "trust"},
    "sample_writer": {"figure"},
    "start": {"command", "training", "trust"},
    "command": {"config_dir", "explanation"},
    "explanation": {"config_dir"},
    "config_dir": set(),
}
EXCEPTIONS = {("metric.train_classifier", "data")}  # a command of its own that reads the training images


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file: Path) -> set[str]:
    """Modules of fmcgan that a file imports, anywhere in it, without the leading ``fmcgan.``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module == "fmcgan":
                found |= {alias.name for alias in node.names}
            elif (node.module or "").startswith("fmcgan."):
                found.add(node.module.removeprefix("fmcgan."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("fmcgan.") for a in node.names if a.name.startswith("fmcgan.")}
    return found


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_rooms_import_only_what_they_may(file):
    name = module_name(file)
    room = name.partition(".")[0]
    if room in ENTRIES or file == SOURCE / "__init__.py":
        return
    for imported in imports_of(file) - LEAVES:
        target = imported.partition(".")[0]
        if name in LEAVES:
            allowed = imported in LEAVES
        else:
            allowed = target in (room, "app") or target in MAY_IMPORT[room] or (name, target) in EXCEPTIONS
        assert allowed, f"{name} must not import {imported}"


def test_leaves_import_leaves_only():
    for leaf in LEAVES:
        assert imports_of(SOURCE / (leaf.replace(".", "/") + ".py")) <= LEAVES


def test_no_circles():
    graph = {module_name(file): imports_of(file) for file in FILES}
    done, path = set(), []

    def visit(name):
        assert name not in path, f"circle: {' -> '.join([*path[path.index(name) :], name])}"
        if name in done or name not in graph:
            return
        path.append(name)
        for imported in graph[name]:
            visit(imported)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_every_room_is_described():
    text = (SOURCE.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name not in ("__pycache__", "configs")}
    assert rooms <= set(MAY_IMPORT)
    for room in rooms:
        assert f"`{room}/`" in text
    for leaf in LEAVES:
        assert f"{leaf.replace('.', '/')}.py" in text


def test_init_files_re_export_nothing():
    for file in SOURCE.rglob("__init__.py"):
        if file.parent != SOURCE:
            assert file.read_text(encoding="utf-8").strip() == "", file


@pytest.mark.parametrize("file", FILES + BESIDE, ids=lambda file: f"{file.parent.name}.{file.stem}")
def test_files_and_functions_fit(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 230
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} is {length} lines long"


def test_all_text_is_utf8_whatever_the_locale():
    """Ruff sees only what it knows to be a path."""
    for file in FILES + BESIDE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                assert "encoding" in {each.arg for each in node.keywords}, f"{file}:{node.lineno}"


def test_create_graph_and_range_conversion_have_one_place():
    places = {"create_graph=True": [], "127.5": []}
    for file in FILES:
        code = "\n".join(line.partition("#")[0] for line in file.read_text(encoding="utf-8").splitlines())
        for text, found in places.items():
            if text in code.replace("``create_graph=True``", ""):
                found.append(module_name(file))
    assert places == {"create_graph=True": ["penalty.base"], "127.5": ["data.images"]}
