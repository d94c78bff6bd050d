"""The README promises only what is there."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fmcgan.app.config_dir import config_dir

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
# A command ends with its line, a comment, or the backtick that closes it within a sentence (which may break the line).
METRICS = (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8")
PERFORMANCE = (CHECKOUT / "docs" / "performance.md").read_text(encoding="utf-8")
HUB = (CHECKOUT / "docs" / "hub.md").read_text(encoding="utf-8")
COMMANDS = list(
    dict.fromkeys(  # each once
        re.findall(r"python -m fmcgan\.(\w+)((?:[ \n][^#`\n]+?)?)(?:\s*#.*|`|\n)", README + METRICS + PERFORMANCE + HUB)
    )
)


def test_the_readme_shows_every_command():
    commands = {path.stem for path in config_dir().glob("*.yaml")}
    assert {name for name, _ in COMMANDS} == commands
    assert len(COMMANDS) >= 12


@pytest.mark.train
def test_every_command_composes():
    for name, arguments in sorted(set(COMMANDS)):
        if "--config-dir" in arguments:  # a folder of the user's own
            continue
        words = [word for word in shlex.split(arguments) if word not in ("-m", "--help")]
        # Of a sweep, the first job: a comma outside brackets separates choices.
        overrides = [word if "[" in word else word.split(",")[0] for word in words]
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            compose(name, overrides)


def test_every_target_of_make_exists():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)`", README)) | set(
        re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_picture_and_page_it_links_to_exists():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert path.startswith("https://") or (CHECKOUT / path).is_file(), path


def test_every_test_that_a_document_names_exists():
    text = (CHECKOUT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)", text))
    assert named
    assert [path for path in sorted(named) if not (CHECKOUT / path).is_file()] == []


def test_nothing_is_left_to_be_filled_in():
    assert "@@" not in README
