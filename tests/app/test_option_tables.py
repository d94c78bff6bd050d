"""Every yaml describes itself; help and docs/options.md show what it says."""

import re
from pathlib import Path

import pytest

from fmcgan.app.config_dir import config_dir
from fmcgan.app.option_tables import COMMANDS, help_text, page, read_groups, read_option, values_text

FILES = [path for path in sorted(config_dir().rglob("*.yaml")) if path.parent != config_dir()]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "options.md"


def test_every_yaml_has_a_description_and_every_key_a_comment():
    for path in FILES:
        group = path.parent.relative_to(config_dir()).as_posix()
        option = read_option(path, group)
        assert 5 < len(option.description) <= 120, path
        if not group.startswith(("experiment", "hydra")):  # experiments set keys that are described elsewhere
            assert [key.name for key in option.keys if not key.comment] == [], path


def test_every_group_is_listed():
    listed = {group.name for command in COMMANDS for group in read_groups(command)}
    groups = {path.parent.relative_to(config_dir()).as_posix() for path in FILES}
    assert listed == groups - {"experiment/study", "hydra/job_logging"}


def test_the_committed_page_is_what_the_files_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m fmcgan.app.option_tables writes it anew"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_names_every_option(command):
    text = help_text(command)
    assert max(map(len, text.splitlines())) <= 80
    words = text.split()
    for group in read_groups(command):
        assert all(option.name in words or f"{option.name}*" in words for option in group.options)


def test_help_explains_every_value_of_a_command_and_the_named_ones_of_its_options():
    for path in sorted(config_dir().glob("*.yaml")):
        lines = values_text(path.stem).splitlines()
        assert max(map(len, lines)) <= 80
        keys = [line.strip().partition("=")[0] for line in lines if re.match(r"  \w+=", line)]
        own = re.findall(r"^(\w+): (?!\{\}|\$\{fmcgan)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert keys == own
        assert "_target_" not in "".join(lines)
        # A name has its explanation behind it, or in the next line.
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            assert line.startswith(" " * 24) or (len(line) > 24 and line[23] == " ") or following.startswith(" " * 24)
    (shown,) = [line for line in values_text("train", "trainer.max_epochs").splitlines() if "max_epochs" in line]
    assert shown.startswith("  trainer.max_epochs=10 ")


def test_a_file_is_read_as_it_stands(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "# @package a.b\n# One line.\n# Another.\ndefaults:\n  - x: y # no key\n_target_: a.B\nwidth: 8 # of all\n"
        'c:\n  text: "a#b" # quoted\n  d: ${e} # filled in\n  cache: ${oc.env:F,null}\nempty:\n'
    )
    option = read_option(path, "g")
    assert (option.name, option.description) == ("mine", "One line.")
    assert [(key.name, key.default, key.comment) for key in option.keys] == [
        ("a.b.width", "8", "of all"),
        ("a.b.c.text", '"a#b"', "quoted"),
        ("a.b.c.cache", "${oc.env:F,null}", ""),
    ]
