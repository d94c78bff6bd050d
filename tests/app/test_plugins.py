"""Installed packages add options; a broken one is named in one line, and none is imported to list its options."""

import json
import logging
import re
import sys

import pytest
from hydra import compose, initialize_config_dir

from fmcgan.app import hydra_app, option_tables, plugins
from fmcgan.app.config_dir import config_dir, config_dirs, option_names
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from fmcgan.app.option_tables import help_text, read_groups
from fmcgan.app.overrides import parse_arguments
from fmcgan.app.typed_overrides import normalize_overrides

LOSS = "# Loss of a plugin.\n_target_: plugged.loss.Mine\nscale: 1 # factor\n"


def forget():
    plugins.plugins.cache_clear()
    plugins._is_readable.cache_clear()
    option_tables.read_groups.cache_clear()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package as an installer would: its files, and a folder that names its entry points."""
    site = tmp_path / "site"

    def install(package, value=None, files=None, code="raise AssertionError('imported')"):
        contents = {f"{package}/__init__.py": code} if code is not None else {}
        contents |= {f"{package}/configs/{name}.yaml": text for name, text in (files or {}).items()}
        about = f"{package}-1.0.dist-info"
        contents[f"{about}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        contents[f"{about}/entry_points.txt"] = f"[fmcgan.plugins]\n{package} = {value or package + '.configs'}\n"
        for name, text in contents.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        forget()
        return site / package

    site.mkdir()
    monkeypatch.syspath_prepend(site)
    yield install
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugged"]:
        del sys.modules[name]
    forget()


@pytest.fixture
def plugged(install):
    return install(
        "plugged", files={"loss/mine": LOSS, "experiment/trial": "# @package _global_\n# A recipe.\nseed: 7\n"}
    )


def composed(*overrides):
    plugins.register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("train", list(overrides))


def test_options_of_a_plugin_are_found_and_chosen_without_importing_it(plugged):
    assert plugins.plugins() == (plugins.Plugin("plugged", plugged / "configs"),)
    assert config_dirs() == [config_dir(), plugged / "configs"]
    assert "mine" in option_names("loss")
    config = composed("loss=mine", "experiment=trial")
    assert (config.loss._target_, config.seed) == ("plugged.loss.Mine", 7)
    assert "plugged" not in sys.modules


def test_help_lists_them_with_their_package_and_the_committed_page_does_not(plugged):
    text = help_text("train")
    for line in (r"mine +Loss of a plugin\. \[plugged\]", r"trial +A recipe\. \[plugged\]"):
        assert re.search(rf"^  {line}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
    assert all("mine" not in {option.name for option in group.options} for group in read_groups("train"))
    assert "Loss of a plugin" not in option_tables.page()
    assert "plugged" not in sys.modules


def test_an_unknown_option_is_compared_with_theirs(plugged):
    with pytest.raises(Exception, match="mine") as error:
        composed("loss=mines")
    (line,) = format_error(error.value).splitlines()
    assert line.startswith("error: there is no loss=mines. Did you mean mine? Available: ")


BROKEN = {
    "no package": ({"code": None, "value": "nowhere.configs"}, "Python finds no package nowhere"),
    "no folder": ({}, "there is no folder broken.configs"),
    "a module of Python": ({"value": "os.path"}, "os.path is not the name of a folder in a package outside fmcgan"),
    "no name": ({"value": "../elsewhere"}, "is not the name of a folder in a package outside fmcgan"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_left_out_with_one_line_that_names_it(plugged, install, caplog, case):
    options, reason = BROKEN[case]
    install("broken", **options)
    with caplog.at_level(logging.WARNING):
        assert [each.package for each in plugins.plugins()] == ["plugged"]
        assert composed("loss=mine").loss._target_ == "plugged.loss.Mine"
        assert "[plugged]" in help_text("train")
    (message,) = caplog.messages
    assert message.startswith("plugin broken is left out: ")
    assert reason in message


@pytest.mark.parametrize("text", ["loss: [", b"\xff", "- a list\n", "defaults: 7\n"], ids=repr)
def test_a_broken_yaml_of_a_plugin_is_named_and_the_others_are_listed(install, caplog, text):
    folder = install("plugged", files={"loss/mine": LOSS, "loss/broken": text})
    with caplog.at_level(logging.WARNING):
        assert "Loss of a plugin. [plugged]" in help_text("train")
    (message,) = caplog.messages
    assert str(folder / "configs" / "loss" / "broken.yaml") in message
    assert "\n" not in message


def test_a_chosen_yaml_that_cannot_be_parsed_is_one_line(install):
    folder = install("plugged", files={"loss/broken": "a: [\n"})
    with pytest.raises(Exception, match="broken") as error:
        composed("loss=broken")
    (line,) = format_error(error.value).splitlines()
    assert line.startswith("error: a yaml file cannot be read: ")
    assert str(folder / "configs" / "loss" / "broken.yaml") in line


def test_an_entry_of_another_encoding_is_no_plugin(install, caplog):
    install("plugged", value=b"\xff".decode("latin-1"), files={"loss/mine": LOSS})
    path = next(path for path in map(plugins.Path, sys.path) if (path / "plugged-1.0.dist-info").is_dir())
    (path / "plugged-1.0.dist-info" / "entry_points.txt").write_bytes(b"[fmcgan.plugins]\n\xff = \xff\n")
    assert plugins.plugins() == ()


def test_an_option_of_the_same_name_is_that_of_fmcgan_and_said_so(install, caplog):
    folder = install("plugged", files={"loss/hinge": LOSS})
    with caplog.at_level(logging.WARNING):
        normalize_overrides(parse_arguments(["loss=hinge"]), "train")
    assert composed("loss=hinge").loss._target_ == "fmcgan.loss.hinge.Hinge"
    (message,) = caplog.messages
    own, other = config_dir() / "loss" / "hinge.yaml", folder / "configs" / "loss" / "hinge.yaml"
    assert message == f"loss=hinge is that of {own}, not that of {other}: rename one"


@pytest.fixture
def resumed(tmp_path, monkeypatch):
    """The arguments of a run that is resumed, whose folder has saved these overrides."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()

    def resumed(*typed, saved):
        (tmp_path / "run" / "environment.json").write_text(json.dumps({"overrides": saved}), encoding="utf-8")
        arguments = [*typed, "ckpt_path=run/checkpoints/last.ckpt"]
        return hydra_app._with_saved_overrides(parse_arguments(arguments), "train")

    return resumed


def test_a_run_folder_chooses_options_of_a_trusted_plugin_only(plugged, resumed):
    saved = ["loss=mine", "seed=3"]
    with pytest.raises(UserError, match="if you trust it, give trust=") as error:
        resumed(saved=saved)
    assert "loss=mine (an option of the package plugged; if you trust it, give trust=[plugged])" in str(error.value)
    assert {"loss=mine", "seed=3"} <= set(resumed("trust=[plugged]", saved=saved))
    assert {"loss=mine", "seed=3"} <= set(resumed("loss=mine", saved=saved))  # the user names it
    assert "plugged" not in sys.modules


def test_a_run_folder_cannot_trust_for_the_user(plugged, resumed):
    for trust in ("trust=[plugged]", "trust=plugged", "++trust=[plugged]"):
        with pytest.raises(UserError, match=r"trust=.?plugged.? \(trusts code\)|adds a key"):
            resumed(saved=[trust, "loss=hinge"])
        with pytest.raises(UserError, match="an option of the package plugged"):
            resumed(saved=[trust, "loss=mine"])
