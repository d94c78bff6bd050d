"""A configuration out of a file builds classes of this project and of trusted packages; nothing else is imported."""

import copy
import sys

import pytest
import torch
from omegaconf import OmegaConf

from fmcgan.app import resume
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.safe_instantiate import check_targets, own_class, trusted_packages
from fmcgan.app.untrusted_data import MAX_CONFIG_VALUES, check_data
from fmcgan.inference.generator import ALLOWED_PREFIXES

GENERATOR = {"_target_": "fmcgan.network.dcgan.Generator", "width": 8, "conditioning": {"_target_": "fmcgan.x"}}
FOREIGN = [
    "torch.load",
    "numpy.load",
    "pathlib.Path.touch",
    "evil.Generator",
    "antigravity.x",
    "fmcgan.network.dcgan.torch.load",
    "fmcgan.network.dcgan.nn.Module",
    "fmcgan.network.dcgan.Generator.forward",
    "fmcgan.network.dcgan.Generator.__init__.__globals__",
    "fmcgan.network.dcgan.__class__",
    "fmcgan.network.dcgan.__loader__",
    "fmcgan.network.dcgan",
    "fmcgan.network.evil.Generator",
    "fmcgan.network.",
    "fmcgan.network..dcgan.Generator",
    "fmcgan.network.../../evil.Generator",
    "fmcgan.network.dcgan.Generator\n",
    " fmcgan.network.dcgan.Generator",
    "fmcgan.network.dcgan.\0",
    "fmcgan.networks.dcgan.Generator",
    "fmcgan.inference.generator.load_generator",
    "fmcgan.app.safe_instantiate.check_targets",
    "",
    None,
    7,
    b"fmcgan.network.dcgan.Generator",
    ["fmcgan.network.dcgan.Generator"],
    {"a": 1},
    torch.zeros(2),
]


@pytest.mark.parametrize("target", FOREIGN, ids=repr)
def test_no_other_class_is_built_wherever_it_stands(target):
    check_targets({"_target_": "fmcgan.network.dcgan.Generator"}, *ALLOWED_PREFIXES)  # imports what the module needs
    before = set(sys.modules)
    assert own_class(target, *ALLOWED_PREFIXES) is None
    for place in (
        {"_target_": target},
        {**GENERATOR, "conditioning": {"_target_": target}},
        [[{"a": ({"_target_": target},)}]],
    ):
        with pytest.raises(UserError, match="has _target_"):
            check_targets(place, *ALLOWED_PREFIXES)
    assert {name.partition(".")[0] for name in set(sys.modules) - before} <= {"fmcgan"}


def test_classes_of_this_project_are_built():
    config = {"_target_": "fmcgan.network.dcgan.Generator", "width": [1, {"_target_": "fmcgan.network.mlp.Generator"}]}
    assert check_targets(config, *ALLOWED_PREFIXES) is config


def nested(depth):
    config = 1
    for _ in range(depth):
        config = {"a": config}
    return config


def shared(depth):
    config = [1]
    for _ in range(depth):
        config = [config] * 10
    return config


def endless():
    config = {}
    config["again"] = [config]
    return config


@pytest.mark.parametrize("config", [nested(100_000), shared(12), endless(), list(range(100_000))], ids=range(4))
def test_a_configuration_without_end_is_refused_at_once(config):
    with pytest.raises(ValueError, match=r"more than|levels"):
        check_data(config, MAX_CONFIG_VALUES)
    for each in (config, {"_target_": config}):
        with pytest.raises(UserError):
            check_targets(each, *ALLOWED_PREFIXES)


@pytest.mark.parametrize("name", ["_partial_", "_args_", "_recursive_", "_convert_"])
def test_orders_how_to_build_are_refused(name):
    for value in (True, "all", [1], {}, None):
        with pytest.raises(UserError, match=f"holds {name}; it is refused"):
            check_targets([{"_target_": "fmcgan.network.dcgan.Generator", name: value}], *ALLOWED_PREFIXES)


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "a${b}", "${", "???"])
def test_interpolations_are_refused(value):
    with pytest.raises(UserError, match="it is refused"):
        check_targets({"_target_": "fmcgan.network.dcgan.Generator", "width": [value]}, *ALLOWED_PREFIXES)


@pytest.fixture
def resumed(plain, tmp_path, monkeypatch):
    """Tries to resume from a checkpoint whose configuration a function has changed."""
    path = tmp_path / "last.ckpt"
    path.touch()
    config = plain()

    def resumed(change, mine=None):
        changed = copy.deepcopy(config)
        change(changed)
        monkeypatch.setattr(
            "fmcgan.training.checkpoint_file.read_checkpoint", lambda path, for_resume: {"config": changed}
        )
        own = OmegaConf.create({**(mine or config), "ckpt_path": str(path)})
        return resume.find_resume_checkpoint(own, mine or config)

    return resumed


def put(place, value):
    """A change of one place of a configuration."""

    def change(config):
        *above, name = place.split(".")
        for each in above:
            config = config[each]
        config[name] = value

    return change


def test_a_foreign_checkpoint_imports_nothing_when_it_is_compared(resumed, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Generator: ...\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    places = ["network.generator", "network.discriminator", "network.generator.conditioning"]
    places += ["augment", "regularizer", "training.generator_optimizer", "training.discriminator_optimizer"]
    for place in places:
        for target in ("evil.Generator", "antigravity.x", "fmcgan.evil.Generator"):
            with pytest.raises(UserError, match=r"networks of the checkpoint differ|was trained with the"):
                resumed(put(f"{place}._target_", target))
    for place in ("loss", "penalty", "training"):  # compared as text, with a warning
        assert resumed(put(f"{place}._target_", "evil.Generator"))
    assert not (tmp_path / "ran").exists()
    assert not {"evil", "antigravity"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    "value", [7, None, "x", [1], {}, {"_target_": 7}, {"_target_": ["a"]}, {"_target_": None}], ids=repr
)
def test_parts_of_another_shape_are_one_error(resumed, value):
    for place in ("augment", "regularizer", "training.generator_optimizer", "network.generator"):
        with pytest.raises(UserError):
            resumed(put(place, value))


def test_networks_of_ones_own_are_compared_as_text(resumed, plain):
    change = put("network.generator._target_", "mine.Generator")
    mine = plain()
    change(mine)
    assert resumed(change, mine)
    with pytest.raises(UserError, match="networks of the checkpoint differ"):
        resumed(change)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A package that writes down that it was imported, another that nobody names, and one that cannot be imported."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')\n"
            "from pathlib import Path\nimport torch\nclass Network: ...\ndef function(): ...\n",
            encoding="utf-8",
        )
    (tmp_path / "mine" / "below.py").write_text("from mine import Network\nclass Inner: ...\n", encoding="utf-8")
    (tmp_path / "mine" / "broken.py").write_text("raise RuntimeError('two\\nlines')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: (tmp_path / "imported").read_text(encoding="utf-8") if (tmp_path / "imported").exists() else ""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "other")]:
        del sys.modules[name]


def test_a_class_of_a_trusted_package_is_allowed(mine):
    for target in ("mine.Network", "mine.below.Inner", "mine.below.Network"):
        config = {**GENERATOR, "conditioning": {"_target_": target}, "width": 8}
        assert check_targets(config, *ALLOWED_PREFIXES, trust=trusted_packages(["mine"])) is config
    assert mine() == "mine "


def test_without_trust_the_error_names_the_word_and_nothing_is_imported(mine):
    with pytest.raises(UserError, match=r"mine\.Network, which is not a class in fmcgan\.network\.\*.*trust=\[mine\]$"):
        check_targets({"_target_": "mine.Network"}, *ALLOWED_PREFIXES)
    with pytest.raises(UserError, match=r"or mine\.\*; it is refused.*trust=\[mine,other\]$"):
        check_targets({"_target_": "other.Network"}, *ALLOWED_PREFIXES, trust=["mine"])
    assert mine() == ""


@pytest.mark.parametrize(
    "target",
    ["mine.Path", "mine.torch.nn.Module", "mine.function", "mine.gone", "mine.Network.__init__", "mine", "mine."],
)
def test_trust_is_for_classes_that_the_package_itself_defines(mine, target):
    with pytest.raises(UserError, match=r"is refused$|cannot be imported"):
        check_targets({"_target_": target}, *ALLOWED_PREFIXES, trust=["mine"])


@pytest.mark.parametrize("target", FOREIGN, ids=repr)
def test_trust_in_one_package_is_none_in_others(mine, target):
    with pytest.raises(UserError, match="has _target_"):
        check_targets({"_target_": target}, *ALLOWED_PREFIXES, trust=["mine"])
    assert "evil" not in sys.modules


def test_instructions_and_interpolations_stay_refused(mine):
    for extra in ({"_partial_": True}, {"width": "${oc.env:HOME}"}):
        with pytest.raises(UserError, match="it is refused"):
            check_targets({"_target_": "mine.Network", **extra}, *ALLOWED_PREFIXES, trust=["mine"])


def test_a_module_that_fails_is_one_line(mine):
    with pytest.raises(UserError, match=r"mine\.broken\.Network, .*cannot be imported \(RuntimeError: two") as error:
        check_targets({"_target_": "mine.broken.Network"}, trust=["mine"])
    assert "\n" not in str(error.value)


def test_what_can_be_trusted(mine):
    assert trusted_packages([]) == ()
    assert trusted_packages("mine") == trusted_packages(["mine", "mine"]) == ("mine",)
    assert trusted_packages(OmegaConf.create(["mine", "other"])) == ("mine", "other")
    for wrong in (
        None,
        7,
        {"a": 1},
        [7],
        ["mine.below"],
        ["fmcgan"],
        ["os"],
        "subprocess",
        ["a b"],
        [None],
        ["__main__"],
    ):
        with pytest.raises(InvalidValueError, match=r"^trust must be a list of packages"):
            trusted_packages(wrong)
    with pytest.raises(UserError, match=r"trust=\[no_such_package\]: Python finds no package"):
        trusted_packages(["no_such_package"])
    assert mine() == ""
