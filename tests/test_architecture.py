"""The rules of ARCHITECTURE.md, read off the imports."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "fmcgan"
FILES = sorted(SOURCE.rglob("*.py"))
BESIDE = [file for room in ("benchmarks", "study") for file in sorted((SOURCE.parents[1] / room).rglob("*.py"))]

ENTRIES = {"train", "evaluate", "generate", "export", "analyze", "compare", "usefulness", "leaderboard", "probe"}
"""Commands compose everything; beside them only packages lie at the top."""
EVERYWHERE = {"data.garments", "data.images", "data.info", "data.stratified"}
"""Modules that every package may import."""
BASES = {f"{group}.base" for group in ("augment", "loss", "network", "penalty", "regularizer", "schedule")}
"""Base classes, by which training calls the parts that a configuration chooses."""
MAY_IMPORT = {
    "app": set(),
    "data": set(),
    "layer": set(),
    "conditioning": {"layer", "network.base"},
    "network": {"conditioning", "layer"},
    "loss": set(),
    "penalty": set(),
    "augment": set(),
    "regularizer": set(),
    "schedule": set(),
    "training": {"layer", "augment.none", "regularizer.none", *BASES},
    "metric": set(),
    "figure": set(),
    "analysis": {"metric", "figure", "training"},
    "report": {"analysis", "figure", "metric"},
    "search": {"metric"},
    "comparison": {"analysis", "figure", "report", "search"},
    "callback": {"metric", "search", "training", "figure"},
    "inference": {"figure", "metric", "report", "training"},
    "downstream": {"analysis", "data.subset", "figure", "inference", "metric", "report", "training"},
    "probing": {"analysis", "figure", "metric", "report", "training"},
    "ranking": {"analysis", "figure", "inference", "metric", "report"},
    "pretrained": set(),  # weights and what they are, no code
}
EXCEPTIONS = {
    ("metric.train_classifier", "data"),  # a command of its own that reads the training images
    ("app.resume", "training"),  # reads the checkpoint
}


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports_of(file: Path) -> set[str]:
    """Modules of fmcgan that a file imports, anywhere in it, without the leading ``fmcgan.``."""
    found = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module == "fmcgan":
                found |= {alias.name for alias in node.names}
            elif (node.module or "").startswith("fmcgan."):
                found.add(node.module.removeprefix("fmcgan."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("fmcgan.") for a in node.names if a.name.startswith("fmcgan.")}
    return found


def test_packages_import_only_what_they_may():
    for file in FILES:
        name = module_name(file)
        package = name.partition(".")[0]
        if package in {*ENTRIES, "__main__"} or file == SOURCE / "__init__.py":
            continue
        for imported in imports_of(file) - EVERYWHERE:
            target = imported.partition(".")[0]
            allowed = {target, imported} & {package, "app", *MAY_IMPORT[package]} or (name, target) in EXCEPTIONS
            assert allowed, f"{name} must not import {imported}"


def test_only_commands_lie_at_the_top():
    assert {file.stem for file in SOURCE.glob("*.py")} == ENTRIES | {"__init__", "__main__"}


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


def test_every_package_is_described():
    text = (SOURCE.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name not in ("__pycache__", "configs")}
    assert packages == set(MAY_IMPORT)
    for package in packages:
        assert f"`{package}/`" in text


def test_init_files_re_export_nothing():
    for file in SOURCE.rglob("__init__.py"):
        if file.parent != SOURCE:
            assert file.read_text(encoding="utf-8").strip() == "", file


def test_all_text_is_utf8_whatever_the_locale():
    """Ruff sees only what it knows to be a path."""
    for file in FILES + BESIDE:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                assert "encoding" in {each.arg for each in node.keywords}, f"{file}:{node.lineno}"


def test_create_graph_and_range_conversion_have_one_place():
    places = {"create_graph=True": [], "127.5": []}
    for file in FILES:
        code = "\n".join(line.partition("#")[0] for line in file.read_text(encoding="utf-8").splitlines())
        for text, found in places.items():
            if text in code.replace("``create_graph=True``", ""):
                found.append(module_name(file))
    # layer.fused: the gradient of a function in C++, where a gradient of it is wanted
    assert places == {"create_graph=True": ["layer.fused", "penalty.base"], "127.5": ["data.images"]}
