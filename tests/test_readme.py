"""README and pages promise only what is there."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fmcgan.app.config_dir import config_dir

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
DOCS = CHECKOUT / "docs"
PAGES = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "README.md", *sorted(DOCS.glob("*.md")))}
# A command ends with its line, a comment, or the backtick that closes it within a sentence (which may break the line).
_COMMAND = re.compile(r"python -m fmcgan\.(\w+)((?:[ \n][^#`\n]+?)?)(?:\s*#.*|`|\n)")
COMMANDS = sorted({found for text in PAGES.values() for found in _COMMAND.findall(text.replace("\\\n", " "))})
TEMPLATE = CHECKOUT / "examples" / "my_package" / "src" / "my_package" / "configs"
_PLACEHOLDER = re.compile(r"(?!run|samples|output)[\w/]+=[A-Z]+")  # `data=NAME`: the reader's own option


def first_job(arguments):
    """Returns the overrides of the first job of a command: a comma outside brackets separates choices."""
    words = iter(shlex.split(arguments))
    for word in words:
        if word in ("--cfg", "--package", "--info"):
            next(words)
        elif not word.startswith("-"):
            key, _, value = word.partition("=")
            yield f"{key}=1" if "(" in value else word if "[" in word else word.split(",")[0]


def is_group(key):
    return "/" in key or (config_dir() / key.partition("@")[0]).is_dir()


def compositions():
    """Returns the command and the overrides of each composition that together show all commands.

    Values of a command without groups do not depend on each other: one composition has all of them.
    """
    plain, found = {}, set()
    for name, arguments in COMMANDS:
        words = {word.partition("=")[0]: word for word in first_job(arguments)}
        if "--config-dir" in arguments or any(
            map(_PLACEHOLDER.fullmatch, words.values())
        ):  # a folder of the user's own
            continue
        alone = not any(is_group(key) or not key[0].isalpha() for key in words)
        for key, word in words.items():
            if alone or ("." not in key and not is_group(key)):
                plain.setdefault(name, {}).setdefault(key, word)
        rest = tuple(word for key, word in words.items() if key not in plain.get(name, ()))
        found |= {(name, rest)} if rest else set()
    return sorted(found | {(name, tuple(words.values())) for name, words in plain.items()})


def test_the_pages_show_every_command():
    commands = {path.stem for path in config_dir().glob("*.yaml")}
    assert {name for name, _ in COMMANDS} == commands
    assert len(COMMANDS) >= 100


@pytest.mark.train
def test_every_command_composes():
    own = [path.stem for path in TEMPLATE.rglob("*.yaml")]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        for name, words in compositions():
            is_own = any(value in own for word in words for value in re.findall(r"\w+", word.partition("=")[2]))
            compose(name, [*words, *[f"hydra.searchpath=[file://{TEMPLATE}]"] * is_own])


def test_every_target_of_make_exists():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    for text in PAGES.values():
        for target in re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_picture_and_page_it_links_to_exists(path):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", PAGES[path]):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_every_test_that_a_document_names_exists():
    named = {name for text in PAGES.values() for name in re.findall(r"`(tests/[\w/]+\.py)", text)} - {
        "tests/data/test_NAME.py"
    }
    assert len(named) > 20
    assert [path for path in sorted(named) if not (CHECKOUT / path).is_file()] == []


def test_the_examples_of_extending_are_whole_classes():
    """They derive from the base class of their group, leave nothing abstract and can be built."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGES[DOCS / "extending.md"], re.DOTALL):
        if "class " in block:
            exec(compile(block, "extending.md", "exec"), names)
            (defined,) = [node.name for node in ast.parse(block).body if isinstance(node, ast.ClassDef)]
            cls = names[defined]
            assert not inspect.isabstract(cls), defined
            cls(
                **{"SquareRoot": {"start_value": 1, "end_value": 0, "start_images": 0, "end_images": 9}}.get(
                    defined, {}
                )
            )
    assert names["SquareRoot"](1, 0, 0, 100)(25) == 0.5
    assert {"Exponential", "Lipschitz", "Noise", "SmallLogits", "Added", "Brightness", "Shout"} <= set(names)


def test_the_example_page_is_whole_and_small():
    page = DOCS / "examples" / "analysis.html"
    assert page.stat().st_size < 1_500_000
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_nothing_is_left_to_be_filled_in():
    assert not [path for path, text in PAGES.items() if "@@" in text]
