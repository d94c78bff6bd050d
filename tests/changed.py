"""Names the test files that belong to what has changed since the main branch: ``python tests/changed.py``.

Changed are the files that differ from the commit at which this branch left ``main``, and the untracked ones. To them
belong changed tests, the test file at the same place, tests that import a changed module or a module that imports it,
and the tests of a group of configurations. (pytest-testmon would need a database from a whole run under coverage, and
sees neither yaml files nor child processes; pytest-picked knows changed tests only.)
"""

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
TESTS = CHECKOUT / "tests"
CODE = {"src/fmcgan": "fmcgan", "benchmarks": "benchmarks", "study": "study", "tests": "tests"}
"""Folders of Python code, and the package that each is."""
DOCUMENTS = {
    "ARCHITECTURE.md": ["test_architecture.py"],
    "README.md": ["test_readme.py"],
    "Makefile": ["test_readme.py"],
    "docs": ["test_readme.py", "test_site.py"],
    "mkdocs.yml": ["test_site.py"],
    "notebooks": ["test_notebook.py"],
    "pyproject.toml": ["test_wheel.py"],
}


def git(*arguments: str) -> list[str]:
    """Runs git in the checkout.

    Returns:
        The lines of its output; none if it fails.
    """
    ended = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, encoding="utf-8")
    return ended.stdout.splitlines() if ended.returncode == 0 else []


def changed_files() -> list[str]:
    """Lists the changed and the untracked files, relative to the checkout."""
    base = git("merge-base", "HEAD", "origin/main") or git("merge-base", "HEAD", "main") or ["HEAD"]
    return [*git("diff", "--name-only", base[0]), *git("ls-files", "--others", "--exclude-standard")]


def module_name(path: Path) -> str:
    """Turns ``src/fmcgan/a/b.py`` into ``fmcgan.a.b``."""
    for folder, package in CODE.items():
        if path.is_relative_to(folder):
            return ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
    return ""


@cache
def imports() -> dict[Path, set[str]]:
    """Reads the imports of all code.

    Returns:
        For each file, relative to the checkout, the names of the modules that it imports anywhere in it.
    """
    found: dict[Path, set[str]] = {}
    for folder in CODE:
        for file in (CHECKOUT / folder).rglob("*.py"):
            names = found.setdefault(file.relative_to(CHECKOUT), set())
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def is_test(path: Path) -> bool:
    return path.is_relative_to("tests") and path.name.startswith("test_") and path.suffix == ".py"


def tests_below(folder: str) -> set[Path]:
    return {path.relative_to(CHECKOUT) for path in (TESTS / folder).rglob("test_*.py")}


def tests_of_module(path: Path) -> set[Path]:
    """Finds the tests of one module: at the same place, and those that import it or a module that does."""
    name = module_name(path)
    users = [path] + [file for file, names in imports().items() if name in names and not is_test(file)]
    found = {file for file, names in imports().items() if is_test(file) and names & set(map(module_name, users))}
    for user in users:
        if user.name in ("conftest.py", "kinds.py"):
            found |= tests_below("/".join(user.parent.parts[1:]))
    inside = path.relative_to("src/fmcgan") if path.is_relative_to("src") else path
    return found | {Path("tests") / inside.with_name(f"test_{inside.name}")}


def tests_of(name: str) -> set[Path]:
    """Finds the tests that belong to one changed file."""
    path = Path(name)
    if is_test(path):
        return {path}
    if module_name(path) and path.suffix == ".py":
        return tests_of_module(path)
    if path.is_relative_to("src/fmcgan"):  # templates, weights
        return next(filter(None, (tests_below(str(above)) for above in path.relative_to("src/fmcgan").parents)))
    if path.parts[0] == "configs":
        group = tests_below(path.parts[1]) if len(path.parts) > 2 else set()
        return group | {Path("tests", "test_configs.py"), Path("tests", f"test_{path.stem}.py")}
    return {Path("tests", each) for each in DOCUMENTS.get(path.parts[0], ())}


def tests_of_all(names: Iterable[str]) -> list[Path]:
    """Finds the existing tests that belong to any of some changed files, each once."""
    return sorted({path for name in names for path in tests_of(name) if (CHECKOUT / path).is_file()})


if __name__ == "__main__":
    sys.stdout.write("\n".join(map(str, tests_of_all(changed_files()))) + "\n")
