"""``fmcgan.export``: what a file holds, that it gives the run's own images, and what is refused."""

import copy
import json
import logging
import re
import sys
import types
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torchvision.datasets import FashionMNIST

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.app.safe_instantiate import check_targets
from fmcgan.data.garments import GARMENTS
from fmcgan.evaluate import evaluate
from fmcgan.export import export
from fmcgan.inference.generator import ALLOWED_PREFIXES, load_generator
from fmcgan.inference.onnx_file import write_onnx
from fmcgan.inference.safetensors_file import provenance, read_generator, without_paths, write_generator
from fmcgan.training.checkpoint_file import CHECKPOINT_FORMAT
from fmcgan.training.truncation import TruncatedGenerator

IMAGES_SEEN = 64
SCORE = {"value": 2.5, "interval": None, "floor": 0.5, "better": "lower", "n": 500}
FINISHED = {"status": "finished", "images_seen": IMAGES_SEEN, "training_seconds": 1.0}


@pytest.fixture
def run(fit, tmp_path, monkeypatch):
    """The folder of a run of two batches, and what was measured of it."""
    fit("trainer.max_epochs=1", "trainer.limit_train_batches=2", "seed=3")
    monkeypatch.chdir(tmp_path)
    result = FINISHED | {"scores": {"fd": SCORE}, "best": {"images_seen": 32, "scores": {"fd": SCORE}}}
    Path("run/result.json").write_text(json.dumps(result), encoding="utf-8")
    evaluation = {"images_seen": IMAGES_SEEN, "weights": "ema", "scores": {"kd": SCORE | {"value": 7, "floor": None}}}
    Path("run/evaluation.json").write_text(
        json.dumps(evaluation | {"train_sha256": "a", "test_sha256": "b"}), encoding="utf-8"
    )
    environment = json.loads(Path("run/environment.json").read_text(encoding="utf-8"))
    overrides = ["seed=3", "data.mirror=/somewhere/else", "name='two words'"]
    Path("run/environment.json").write_text(json.dumps(environment | {"overrides": overrides}), encoding="utf-8")
    return Path("run")


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """A generator of fresh weights in a file, and its network."""
    monkeypatch.chdir(tmp_path)
    return Path("tiny.safetensors"), write_tiny(Path("tiny.safetensors"))


def tiny(*overrides, network="dcgan", width=8, info=GARMENTS):
    """Configuration of a small generator, and such a one of fresh weights."""
    torch.manual_seed(0)
    small = ["experiment=smoke", f"network={network}", f"network.width={width}", "network.latent_dim=8", *overrides]
    composed = config_of("train", *small)
    composed.dataset = info.as_config()
    config = OmegaConf.to_container(composed.network.generator, resolve=True)
    return config, instantiate(config).eval()


def write_tiny(path, **about):
    config, network = tiny()
    known = {"generator": config, "config": {}, "images_seen": 1, "weights": "ema"}
    write_generator(path, network.state_dict(), known | about)
    return network


@cache
def composed(name, *overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose(name, list(overrides), return_hydra_config=True)


def config_of(name, *overrides):
    config = copy.deepcopy(composed(name, *overrides))
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        config.pop("hydra")  # as for the task of a command
    return config


def header_of(path):
    with safe_open(path, framework="pt") as file:
        assert list(file.metadata()) == ["fmcgan"]
        return json.loads(file.metadata()["fmcgan"])


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_an_exported_generator_gives_the_images_of_its_run(run, weights):
    export(config_of("export", "run=run", f"weights={weights}", "output=new/g.safetensors"))
    of_run, of_file = load_generator("run", weights), load_generator("new/g.safetensors", weights)
    assert np.array_equal(of_run.sample(n_per_class=5, seed=1).images, of_file.sample(n_per_class=5, seed=1).images)
    other = load_generator("run", "raw" if weights == "ema" else "ema").network.state_dict()
    assert any(not torch.equal(value, other[name]) for name, value in of_file.network.state_dict().items())
    assert [path.name for path in Path("new").iterdir()] == ["g.safetensors"]
    with pytest.raises(UserError, match=f"weights={weights} only"):
        load_generator("new/g.safetensors", "raw" if weights == "ema" else "ema")


def test_what_the_header_says(run, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        export(config_of("export", "run=run"))
    assert re.search(r"^generator\.safetensors \(.* MB\): .*64 images seen, 2 scores", caplog.messages[-1])
    header = header_of("generator.safetensors")
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert header["generator"] == checkpoint["config"]["network"]["generator"]
    assert header["config"]["loss"] == checkpoint["config"]["loss"]
    assert (header["images_seen"], header["seed"], header["weights"], header["dtype"]) == (64, 3, "ema", "float32")
    assert header["scores"] == {
        "result.json": {"fd": {"value": 2.5, "real": 0.5}},
        "evaluation.json": {"kd": {"value": 7, "real": None}},
    }
    assert header["data"] == {"train_sha256": "a", "test_sha256": "b"}  # drawn images: there are no files
    assert header["command"] == "python -m fmcgan.train seed=3 'name='\"'\"'two words'\"'\"''"
    written = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert header["environment"]["packages"] == written["packages"]
    assert header["environment"]["git"] == written["git"]
    assert header["licence"] == "MIT"
    assert str(tmp_path) in json.dumps(checkpoint["config"])
    assert str(tmp_path) not in json.dumps(header)  # where it was trained is nobody's business


def test_scores_are_those_of_exactly_these_weights(run):
    about = {"config": {}, "images_seen": IMAGES_SEEN, "weights": "ema"}
    assert set(provenance(run, about)["scores"]) == {"result.json", "evaluation.json"}
    assert provenance(run, about | {"weights": "raw"})["scores"] == {}
    assert provenance(run, about | {"images_seen": 63})["scores"] == {}
    result = FINISHED | {"scores": {}, "best": {"images_seen": 32, "scores": {"fd": SCORE}}}
    (run / "result.json").write_text(json.dumps(result))
    best = provenance(run, about | {"images_seen": 32})
    assert best["scores"] == {"result.json": {"fd": {"value": 2.5, "real": 0.5}}}
    real = {"data": {"_target_": "fmcgan.data.fashion_mnist.FashionMNISTData"}}
    assert provenance(None, about | {"config": real})["data"] == {"md5": dict(FashionMNIST.resources)}
    unknown = provenance(None, about)
    assert (unknown["command"], unknown["environment"], unknown["scores"]) == (None, {}, {})


def test_places_are_left_out():
    config = {
        "root": "/data",
        "mirror": "https://a.b/c",
        "home": "~/x",
        "kept": ["data", 1, None, "/gone"],
        "n": {"a": 0.5},
    }
    assert without_paths(config) == {"kept": ["data", 1, None], "n": {"a": 0.5}}
    assert without_paths(["a=1", "b='/c d'", "e=file:///f", "g=h/i"]) == ["a=1", "g=h/i"]


def test_half_precision(run):
    export(config_of("export", "run=run"))
    export(config_of("export", "run=run", "dtype=float16", "output=half.safetensors"))
    whole, half = load_file("generator.safetensors"), load_file("half.safetensors")
    floats = [name for name, value in whole.items() if value.is_floating_point()]
    assert all(half[name].dtype == torch.float16 and torch.equal(half[name], whole[name].half()) for name in floats)
    assert all(torch.equal(half[name], whole[name]) for name in whole.keys() - floats)
    images = [load_generator(f"{name}.safetensors").sample().images.astype(int) for name in ("generator", "half")]
    assert np.abs(images[0] - images[1]).max() <= 2
    network = load_generator("half.safetensors").network
    assert next(network.parameters()).dtype == torch.float32
    before = Path("half.safetensors").read_bytes()
    state = network.state_dict() | {"embedding.weight": torch.full((10, 2), 7e4)}  # float16 ends at 65504
    about = {"generator": {}, "config": {}, "images_seen": 0, "weights": "ema"}
    with pytest.raises(UserError, match=r"float16: embedding\.weight"):
        write_generator(Path("half.safetensors"), state, about, "float16")
    assert Path("half.safetensors").read_bytes() == before


def test_an_exported_generator_can_be_exported_again(exported):
    path, network = exported
    export(config_of("export", f"run={path}", "output=again.safetensors"))
    assert Path("again.safetensors").read_bytes() == path.read_bytes()
    assert set(load_file(path)) == set(network.state_dict())


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_refused_in_one_line(exported, share):
    path, _ = exported
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="damaged") as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)


def test_one_changed_bit_is_noticed(exported):
    path, _ = exported
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged: .*SHA-256"):
        load_generator(path)


HEADER = {"format": 1, "checkpoint_format": CHECKPOINT_FORMAT}


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        (None, "not a generator"),
        ({"made_by": "another program"}, "not a generator"),
        ({"fmcgan": "{"}, "header is damaged"),
        ({"fmcgan": "[" * 100_000}, "header is damaged"),
        ({"fmcgan": "[]"}, "format None"),
        (
            {"fmcgan": json.dumps(HEADER | {"format": 99})},
            f"format 99 and weights of format {CHECKPOINT_FORMAT};",
        ),
        ({"fmcgan": json.dumps(HEADER | {"checkpoint_format": 0})}, "format 1 and weights of format 0;"),
        ({"fmcgan": json.dumps(HEADER)}, "generator"),
        ({"fmcgan": json.dumps(HEADER | {"generator": {}, "config": "x"})}, "config: "),
    ],
)
def test_files_of_other_programs_are_refused_in_one_line(tmp_path, metadata, told):
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(UserError, match=re.escape(told)) as caught:
        load_generator(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_under_the_wrong_name_is_refused_and_so_is_the_reverse(exported):
    path, network = exported
    torch.save(network.state_dict(), "state.safetensors")
    path.rename("last.ckpt")
    for name in ("state.safetensors", "last.ckpt"):
        with pytest.raises(UserError, match="damaged"):
            load_generator(name)


@pytest.mark.parametrize(
    "wrong", [{"config": 3}, {"config": {"network": {}}}, {"state_dict": [1]}, {"state_dict": {5: 6}}], ids=str
)
def test_a_checkpoint_of_another_content_is_refused_in_one_line(tmp_path, wrong):
    config = {"network": {"generator": tiny()[0]}}
    content = {"config": config, "state_dict": {}, "images_seen": 0, "format": CHECKPOINT_FORMAT}
    torch.save(content | wrong, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint"):
        load_generator(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        ({"_target_": "pathlib.Path.touch", "self": "touched"}, "has _target_ pathlib.Path.touch"),
        ({"_target_": "fmcgan.network.dcgan.torch.save", "f": "touched", "obj": 1}, "fmcgan.network.dcgan.torch.save"),
        ({"_target_": "fmcgan.network.dcgan._initialise", "module": 1}, "fmcgan.network.dcgan._initialise"),
        ({"_target_": "fmcgan.network.dcgan.Tensor"}, "fmcgan.network.dcgan.Tensor"),
        ({"_target_": "fmcgan.network.gone.Generator"}, "fmcgan.network.gone.Generator"),
        ({"_target_": ["a"]}, "list"),
        ({"a": [{"b": {"_target_": "os.system", "command": "touch touched"}}]}, "os.system"),
        (
            {
                "_target_": "fmcgan.network.dcgan.Generator",
                "width": "${oc.create:'{_target_: pathlib.Path.touch, self: touched}'}",
            },
            "${oc.create",
        ),
        ({"_target_": "fmcgan.network.dcgan.Generator", "width": 0}, "hostile.safetensors"),
        ({"_target_": "fmcgan.network.dcgan.Discriminator"}, "hostile.safetensors"),
        ({}, "hostile.safetensors"),
    ],
)
def test_a_file_builds_nothing_but_its_own_generator(tmp_path, monkeypatch, generator, told):
    monkeypatch.chdir(tmp_path)
    path = Path("hostile.safetensors")
    write_tiny(path, generator=generator)
    with pytest.raises(UserError, match=re.escape(told)) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)
    assert [path.name for path in Path.cwd().iterdir()] == ["hostile.safetensors"]


def test_weights_that_do_not_fit_are_refused_in_one_line(tmp_path):
    wider, _ = tiny(width=16)
    write_tiny(tmp_path / "a.safetensors", generator=wider)
    with pytest.raises(UserError, match="size mismatch") as caught:
        load_generator(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_what_may_be_built(monkeypatch):
    label = type("Label", (), {"__module__": "fmcgan.conditioning.made_up"})
    module = types.ModuleType("fmcgan.conditioning.made_up")
    module.Label = label
    monkeypatch.setitem(sys.modules, module.__name__, module)
    config = {"_target_": "fmcgan.network.dcgan.Generator", "label": {"_target_": "fmcgan.conditioning.made_up.Label"}}
    assert check_targets(config, *ALLOWED_PREFIXES) is config
    with pytest.raises(UserError, match=r"fmcgan\.network\.\*"):
        check_targets(config, "fmcgan.network.")
    with pytest.raises(UserError, match=r"os\.system"):
        check_targets(({"_target_": "os.system"},), *ALLOWED_PREFIXES)  # a tuple becomes a list of configurations, too


def test_evaluate_without_run_and_samples_scores_the_shipped_generator(exported, monkeypatch):
    path, _ = exported
    monkeypatch.setattr("fmcgan.inference.generator.SHIPPED", path.absolute())
    few = [
        "data=synthetic",
        "data.n_train=100",
        "data.n_test=100",
        "metric=[sliced_wasserstein]",
        "baselines=[]",
        "n=20",
    ]
    evaluate(config_of("evaluate", *few, "bootstrap_samples=0"))
    record = json.loads(Path("shipped_generator_evaluation/evaluation.json").read_text(encoding="utf-8"))
    assert (record["source"], record["checkpoint"]) == ("the shipped generator", "the shipped generator")
    assert (record["images_seen"], record["n"]) == (1, 20)
    evaluate(config_of("evaluate", *few, "bootstrap_samples=0", f"run={path}"))
    again = json.loads(Path("tiny_evaluation/evaluation.json").read_text(encoding="utf-8"))
    assert again["samples_sha256"] == record["samples_sha256"]
    assert again["scores"] == record["scores"]
    monkeypatch.setattr("fmcgan.inference.generator.SHIPPED", Path("nowhere"))
    with pytest.raises(UserError, match="run="):
        evaluate(config_of("evaluate", *few))


ZOO = {
    "resnet": ["network.attention=true", "spectral_norm=both"],
    "r3": ["spectral_norm=both"],
    "dcgan": ["network.generator.upsampling=bilinear", "network.generator.refine=true", "spectral_norm=both"],
}


def trained(*overrides, **options):
    """Such a generator, with statistics and power iterations of a few batches, attention and biases awake."""
    config, network = tiny(*overrides, **options)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.1)
    with torch.no_grad():
        network.train()
        for _ in range(3):
            network(torch.randn(20, 8), torch.arange(20) % 10)
    return config, network.eval()


@pytest.mark.train
@pytest.mark.parametrize("name", ZOO)
def test_generators_of_the_whole_zoo_go_through_a_file_to_the_bit(tmp_path, name):
    config, network = trained(*ZOO[name], network=name)
    assert any("parametrizations" in key for key in network.state_dict())
    about = {"generator": config, "config": {}, "images_seen": 1, "weights": "ema"}
    write_generator(tmp_path / "g.safetensors", network.state_dict(), about)
    read = load_generator(tmp_path / "g.safetensors").network
    assert all(torch.equal(read.state_dict()[key], value) for key, value in network.state_dict().items())
    latent, labels = torch.randn(20, 8), torch.arange(20) % 10
    assert torch.equal(read(latent, labels), network(latent, labels))


def assert_onnx_gives_the_images_of(network, path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(each.name, each.shape[1:]) for each in session.get_inputs()] == [("latent", [8]), ("labels", [])]
    for n in (1, 10):
        latent, labels = torch.randn(n, 8), torch.arange(n)
        (images,) = session.run(["images"], {"latent": latent.numpy(), "labels": labels.numpy()})
        assert images.shape == (n, 1, 28, 28)
        expected = network(latent, labels).detach().numpy()
        assert np.abs(images - expected).max() < min(1e-6, 1e-4 * np.abs(expected).max())
        given = {"latent": latent.numpy(), "labels": labels.numpy(), "truncation": np.array(0.7, dtype=np.float32)}
        (truncated,) = session.run(["images"], given)
        with torch.no_grad():
            expected = TruncatedGenerator(network)(latent, labels, torch.tensor(0.7)).numpy()
        assert np.abs(truncated - expected).max() < min(1e-6, 1e-4 * np.abs(expected).max())
        assert not np.array_equal(truncated, images)
    return session


@pytest.mark.train
@pytest.mark.parametrize("name", ["dcgan", "conv", "mlp"])
def test_an_onnx_model_gives_the_same_images(tmp_path, name):
    _, network = tiny(network=name)
    write_onnx(tmp_path / "new" / "g.onnx", network, GARMENTS, {"images_seen": 5})
    session = assert_onnx_gives_the_images_of(network, tmp_path / "new" / "g.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["fmcgan"]) == {"images_seen": 5}


@pytest.mark.train
@pytest.mark.parametrize("name", ZOO)
def test_an_onnx_model_of_the_whole_zoo_gives_the_same_images(tmp_path, name):
    _, network = trained(*ZOO[name], network=name)
    write_onnx(tmp_path / "g.onnx", network, GARMENTS, {})
    assert_onnx_gives_the_images_of(network, tmp_path / "g.onnx")


def test_onnx_without_its_packages_is_one_clear_error(exported, monkeypatch):
    path, _ = exported
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"pip install 'fmcgan\[onnx\]'"):
        export(config_of("export", f"run={path}", "format=onnx"))
    assert not Path("generator.onnx").exists()


def test_reading_gives_what_was_written(exported):
    path, network = exported
    state, about = read_generator(path)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert about["generator"]["width"] == 8


def test_a_page_that_draws(exported, caplog):
    path, _ = exported
    export(config_of("export", f"run={path}", "format=html", "dtype=float16"))
    page = Path("generator.html").read_text(encoding="utf-8")
    assert '"dtype":"float16"' in page
    assert "generatorOf" in page
    with pytest.raises(UserError, match=r"\.html for format=html"):
        export(config_of("export", f"run={path}", "format=html", "output=page.htm"))
