"""Checkpoints and exported generators, damaged or foreign: refused in one line, or they draw the same images."""

import copy
import io
import json
import os
import pickle
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors import safe_open
from safetensors.torch import save_file

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.inference.generator import load_generator
from fmcgan.inference.safetensors_file import _fingerprint, read_generator, write_generator
from fmcgan.train import build
from fmcgan.training.checkpoint_file import check_resumable, read_checkpoint

pytestmark = pytest.mark.timeout(120)

WEIGHT = "ema.generator.project.0.weight"


def train(folder, epochs=1, checkpoint=None):
    """Trains two batches an epoch; returns the GAN."""
    options = [
        *("experiment=smoke", f"trainer.default_root_dir={folder}", "logger=[]", "metric=[]"),
        *(
            "callback=[metrics_logger,checkpointing,run_info]",
            "trainer.accelerator=cpu",
            "trainer.limit_train_batches=2",
        ),
        f"trainer.max_epochs={epochs}",
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("train", options)
    config.dataset = instantiate(config.data).info.as_config()
    trainer, gan, data = build(config)
    for callback in trainer.callbacks:
        if hasattr(callback, "configure"):
            callback.configure(OmegaConf.to_container(config, resolve=True))
    trainer.fit(gan, data, ckpt_path=checkpoint, weights_only=True)
    return gan


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two batches: its folder and its GAN."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder)


@pytest.fixture(scope="module")
def content(trained):
    """The bytes of a checkpoint."""
    return (trained[0] / "checkpoints" / "last.ckpt").read_bytes()


@pytest.fixture(scope="module")
def checkpoint(content):
    """What is in it."""
    return torch.load(io.BytesIO(content), weights_only=True)


@pytest.fixture(scope="module")
def exported(content, tmp_path_factory):
    """An exported generator: its bytes, tensors and header."""
    path = tmp_path_factory.mktemp("exported") / "whole.ckpt"
    path.write_bytes(content)
    generator = load_generator(path)
    file = path.with_name("g.safetensors")
    about = {**generator.about, "scores": {"result.json": {"fd": {"value": 2.5, "real": 0.5}}}, "seed": 0}
    write_generator(file, generator.network.state_dict(), about)
    return file.read_bytes(), *read_generator(file)


def nested(depth):
    """A list in a list in a list ..."""
    return json.loads("[" * depth + "]" * depth)


def images_of(path):
    return load_generator(path).sample(n_per_class=1).images


def refusal(function, *arguments, **options):
    """The one line that refuses; None if nothing does."""
    told = None
    try:
        function(*arguments, **options)
    except UserError as error:
        told = str(error)
    assert told is None or (told.count("\n") < 2 and len(told) < 1000)
    return told


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
def test_changed_bits_are_refused_or_change_no_image(content, exported, tmp_path, suffix):
    whole = content if suffix == "ckpt" else exported[0]
    path, rng = tmp_path / f"a.{suffix}", random.Random(suffix)
    path.write_bytes(whole)
    images = images_of(path)
    accepted = 0
    for _ in range(200):
        changed = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        if refusal(read_checkpoint if suffix == "ckpt" else load_generator, path) is None:
            accepted += 1
            assert np.array_equal(images_of(path), images)
    assert accepted < 10


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
def test_other_damage_is_refused_or_changes_no_image(content, exported, tmp_path, suffix, damaged_bytes):
    whole = content if suffix == "ckpt" else exported[0]
    path, rng = tmp_path / f"a.{suffix}", random.Random(suffix)
    path.write_bytes(whole)
    images = images_of(path)
    for _ in range(100):
        path.write_bytes(damaged_bytes(whole, rng))
        if refusal(read_checkpoint if suffix == "ckpt" else load_generator, path) is None:
            assert np.array_equal(images_of(path), images)


def saved(path, checkpoint, **changed):
    content = {name: value for name, value in {**checkpoint, **changed}.items() if value is not ...}
    torch.save(content, path)
    return path


@pytest.mark.parametrize("part", ["config", "loops", "callbacks", "optimizer_states", "whole"])
def test_another_value_in_place_of_one(checkpoint, trained, tmp_path, part, damaged_node):
    """What is not refused can be used: it fits the run, and its generator draws."""
    rng = random.Random(part)
    small = {name: value for name, value in checkpoint.items() if name != "state_dict"} if part == "whole" else {}
    for _ in range(15):
        if part == "whole":
            changed = dict.fromkeys(small, ...) | damaged_node(small, rng)
        else:
            changed = {part: damaged_node(checkpoint[part], rng)}
        try:
            path = saved(tmp_path / "a.ckpt", checkpoint, **changed)
        except (RecursionError, UnicodeEncodeError):
            continue  # no such file can be written
        if refusal(check_resumable, path, trained[1]) is None:
            read_checkpoint(path, for_resume=True)
        if refusal(load_generator, path) is None:
            assert images_of(path).shape == (10, 28, 28)


def test_what_is_not_refused_can_be_resumed_from(checkpoint, trained, tmp_path, damaged_node, drawn, monkeypatch):
    monkeypatch.setattr("fmcgan.data.synthetic.SyntheticData.load", drawn)
    rng, resumed = random.Random(0), 0
    for case in range(12):
        part = rng.choice(("loops", "callbacks", "optimizer_states"))
        try:
            path = saved(tmp_path / "a.ckpt", checkpoint, **{part: damaged_node(checkpoint[part], rng)})
        except (RecursionError, UnicodeEncodeError):
            continue  # no such file can be written
        if refusal(check_resumable, path, trained[1]) is None:
            (tmp_path / str(case)).mkdir()
            refusal(train, tmp_path / str(case), epochs=2, checkpoint=path)
            resumed += 1
    assert 1 < resumed < 11


def tensors(weight):
    return {
        "NaN": weight * float("nan"),
        "infinite": weight / 0,
        "repeated": torch.zeros(1).expand(weight.shape),
        "huge": torch.zeros(1).expand(10**9, 10**6),
        "meta": torch.empty(10**6, 10**6, device="meta"),
        "sparse": weight.to_sparse(),
        "complex": weight + 0j,
        "whole numbers": weight.long(),
        "shape": weight[:3].clone(),
        "text": "x",
        "list": [1.0],
        "none": None,
    }


@pytest.mark.parametrize("kind", tensors(torch.ones(2)))
def test_tensors_that_are_no_weights_are_refused(checkpoint, trained, tmp_path, kind):
    state = {**checkpoint["state_dict"], WEIGHT: tensors(checkpoint["state_dict"][WEIGHT])[kind]}
    path = saved(tmp_path / "a.ckpt", checkpoint, state_dict=state)
    assert refusal(load_generator, path)
    assert refusal(check_resumable, path, trained[1])
    moments = copy.deepcopy(checkpoint["optimizer_states"])
    moments[0]["state"][0]["exp_avg"] = state[WEIGHT]
    path = saved(tmp_path / "a.ckpt", checkpoint, optimizer_states=moments)
    if kind != "whole numbers":
        assert refusal(check_resumable, path, trained[1])


def test_tensors_that_share_their_values_do_not_multiply(checkpoint, tmp_path):
    shared = torch.zeros(100_000)
    state = checkpoint["state_dict"] | {f"ema.generator.x{place}": shared for place in range(50)}
    assert "MB in a file of" in refusal(load_generator, saved(tmp_path / "a.ckpt", checkpoint, state_dict=state))


NEEDED = {
    "loops": (..., None, 3, "x", [], {}, {"fit_loop": {}}),
    "optimizer_states": (..., None, 3, "x", [], {}, [1, 2], [{}, {}], [{}]),
    "callbacks": (..., None, 3, "x", [], {"MetricsLogger": {}}, {"Evaluation": 3}, {"Checkpointing": {"best": "x"}}),
    "lr_schedulers": (..., None, 3, "x", {}),
    "pytorch-lightning_version": (..., None, 3, "x", [], ""),
    "epoch": (..., None, -1, "x", [], True),
    "global_step": (..., None, -1, "x", [], True),
    "discriminator_updates": (..., None, -1, "x", [], True),
}


@pytest.mark.parametrize(("name", "wrong"), [(name, wrong) for name, kinds in NEEDED.items() for wrong in kinds])
def test_what_resuming_needs_is_named_and_generating_does_without(checkpoint, tmp_path, name, wrong):
    path = saved(tmp_path / "a.ckpt", checkpoint, **{name: wrong})
    assert name in refusal(read_checkpoint, path, for_resume=True)
    assert refusal(read_checkpoint, path) is None


@pytest.mark.parametrize("wrong", [-1, "64", True, 1.5, None, 10**400, [64]], ids=lambda wrong: str(wrong)[:20])
def test_images_seen_is_a_count(checkpoint, exported, tmp_path, wrong):
    assert "images_seen" in refusal(load_generator, saved(tmp_path / "a.ckpt", checkpoint, images_seen=wrong))
    if wrong != 10**400:
        assert "images_seen" in refusal(load_generator, written(tmp_path, exported, images_seen=wrong))


@pytest.mark.parametrize(
    "wrong", [{}, None, [], {"network": {}}, {"network": {"generator": 3}}, {"network": [1]}, nested(200)], ids=str
)
def test_a_configuration_without_a_generator(checkpoint, tmp_path, wrong):
    assert "config" in refusal(load_generator, saved(tmp_path / "a.ckpt", checkpoint, config=wrong))


def pickled(path, pickled, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return path


def test_what_a_file_asks_for_beside_tensors_is_not_built(tmp_path):
    bytes_without_end = b"\x80\x02cbuiltins\nbytearray\nI1000000000000\n\x85R."
    for hostile in (bytes_without_end, pickle.dumps(Path("/")), b"", b"cos\nsystem\n(Vtouch touched\ntR."):
        start = time.perf_counter()
        assert refusal(read_checkpoint, pickled(tmp_path / "a.ckpt", hostile))
        assert time.perf_counter() - start < 5
    packed = pickled(tmp_path / "a.ckpt", b"\x80\x02}q\x00." + b"\0" * 10**7, zipfile.ZIP_DEFLATED)
    assert refusal(read_checkpoint, packed)


def written(folder, exported, tensors=None, **about):
    """An exported generator with another header."""
    _, whole, header = exported
    tensors = whole if tensors is None else tensors
    header = {name: value for name, value in {**header, **about}.items() if value is not ...}
    if "sha256" not in about:
        header["sha256"] = _fingerprint(tensors)
    save_file(tensors, folder / "a.safetensors", {"fmcgan": json.dumps(header)})
    return folder / "a.safetensors"


def test_another_value_in_place_of_one_of_a_header(exported, tmp_path, damaged_node):
    rng = random.Random(0)
    for _ in range(120):
        header = damaged_node(exported[2], rng)
        try:
            path = written(tmp_path, exported, **(dict.fromkeys(exported[2], ...) | header))
        except (ValueError, RecursionError):
            continue
        if refusal(load_generator, path) is None:
            assert images_of(path).shape == (10, 28, 28)


@pytest.mark.parametrize("metadata", [{}, {"fmcgan": ""}, {"fmcgan": "3"}, {"fmcgan": "{}"}, {"fmcgan": "[" * 10**6}])
def test_headers_that_say_nothing(exported, tmp_path, metadata):
    save_file(exported[1], tmp_path / "a.safetensors", metadata)
    assert refusal(load_generator, tmp_path / "a.safetensors")


@pytest.mark.parametrize("length", [0, 1, 2**20, 10**8, 2**62, 2**64 - 1])
def test_headers_of_odd_length(tmp_path, length):
    (tmp_path / "a.safetensors").write_bytes(length.to_bytes(8, "little") + b'{"a":' * 1000)
    assert refusal(load_generator, tmp_path / "a.safetensors")


def test_exported_weights_are_finite(exported, tmp_path):
    for broken in (float("nan"), float("inf")):
        tensors = {name: value.clone() for name, value in exported[1].items()}
        tensors["to_image.bias"].fill_(broken)
        assert "to_image.bias has NaN or infinite" in refusal(load_generator, written(tmp_path, exported, tensors))


@pytest.mark.parametrize(
    "change",
    [
        *({"width": 10**6}, {"width": 10**9}, {"width": 2**62}, {"width": 16}, {"width": True}, {"width": "8"}),
        *({"refine": True}, {"spectral_norm": True}, {"upsampling": "x"}, {"conditioning": None}, {"x": 1}),
        {"_partial_": True},
        {"_target_": "fmcgan.network.dcgan.Discriminator"},
        {"_target_": "fmcgan.network.mlp.Generator"},
        {"conditioning": {"_target_": "fmcgan.conditioning.generator.shared_embedding.SharedEmbedding"}},
    ],
    ids=str,
)
def test_a_network_that_the_file_does_not_hold_is_never_allocated(exported, tmp_path, change):
    generator = exported[2]["generator"] | change
    start = time.perf_counter()
    assert refusal(load_generator, written(tmp_path, exported, generator=generator))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("latent_dim", [10**6, 10**9, 2**62, 0, -1])
def test_latent_vectors_larger_than_the_memory(exported, tmp_path, latent_dim):
    generator = copy.deepcopy(exported[2]["generator"])
    generator["conditioning"]["latent_dim"] = latent_dim
    assert refusal(load_generator, written(tmp_path, exported, generator=generator))


def test_a_network_of_layers_without_end(exported, tmp_path):
    generator = {
        **{"_target_": "fmcgan.network.r3.Generator", "width": 32, "blocks": 10**9},
        "conditioning": {
            "_target_": "fmcgan.conditioning.generator.concatenation.Concatenation",
            "latent_dim": 16,
        },
    }
    assert "more weights" in refusal(load_generator, written(tmp_path, exported, generator=generator))


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "dangling", "nothing"])
def test_only_regular_files_are_read(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "dangling": lambda: path.symlink_to("gone"),
        "nothing": lambda: None,
    }[kind]()
    reader = read_checkpoint if suffix == "ckpt" else read_generator
    assert str(path) in refusal(reader, path)
    assert str(path) in refusal(load_generator, path)


def test_the_file_that_is_shipped_is_whole():
    from fmcgan.inference.generator import SHIPPED

    assert images_of(None).shape == (10, 28, 28)
    with safe_open(SHIPPED, framework="pt") as file:
        assert list(file.metadata()) == ["fmcgan"]
