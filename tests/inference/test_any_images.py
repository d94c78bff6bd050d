"""A generator of other images than garments: in colour, of five classes with hostile names; and small grey ones."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_evaluation
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.samples import SampleGrid
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.evaluate import evaluate
from fmcgan.export import export
from fmcgan.generate import generate
from fmcgan.inference.generator import load_generator
from fmcgan.inference.safetensors_file import provenance, write_generator
from fmcgan.inference.sample_source import _data_set, check_classes, dataset_info
from fmcgan.inference.sample_writers import check_space, folder_name, write_folder, write_grid, write_npz
from tests.hostile import PAYLOADS

COLOUR = DatasetInfo("signs", ("stop", "../a/b", "-x=1", "Läufe 日本", "<img src=x onerror=alert(1)>"), 3, 32, False)
GREY = DatasetInfo("letters", tuple("abc"), 1, 16)


class Signs(ImageDataModule):
    """Noise in colour, of classes of unequal size."""

    source = COLOUR
    sizes = (20, 4, 8, 5, 3)

    def load(self):
        rng = torch.Generator().manual_seed(0)
        labels = torch.arange(5).repeat_interleave(torch.tensor(self.sizes))
        train, test = (torch.randint(0, 256, (40, 3, 32, 32), generator=rng, dtype=torch.uint8) for _ in range(2))
        return ImageSplits(train, labels, test, labels)


class EqualSigns(Signs):
    """Classes of equal size: samples of a generator are evaluated in the proportions of the test images."""

    sizes = (8,) * 5


def network_of(info):
    """Configuration of a small generator of such images, and such a one."""
    torch.manual_seed(0)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("train", ["network.width=4", "network.latent_dim=6"])
    config.dataset = info.as_config()
    config = OmegaConf.to_container(config.network.generator, resolve=True)
    return config, instantiate(config).eval()


def write(path, info, named=None):
    """Exports such a generator, under the name and classes of a data set; returns its network."""
    config, network = network_of(info)
    about = {"generator": config, "config": {"dataset": (named or info).as_config()}, "images_seen": 1}
    write_generator(path, network.state_dict(), about | {"weights": "ema"})
    return network


def config_of(name, *overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose(name, list(overrides))


@pytest.fixture
def colour(tmp_path, monkeypatch):
    """A folder with the file ``colour.safetensors``."""
    monkeypatch.chdir(tmp_path)
    write(Path("colour.safetensors"), COLOUR)
    return Path("colour.safetensors")


def test_images_in_colour_have_three_channels_last(colour):
    generator = load_generator(colour)
    assert generator.info == COLOUR
    images, labels = generator.sample(["LÄUFE 日本", 0], 3)
    assert images.shape == (6, 32, 32, 3)
    assert labels.tolist() == [3, 3, 3, 0, 0, 0]
    with torch.no_grad():
        first = generator.network(next(generator_latents(generator, 3)), torch.tensor([3]))[0]
    expected = ((first + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.abs(images[0].astype(int) - expected).max() <= 1
    assert np.array_equal(np.concatenate([each.images for each in generator.stream(3, 3)]), images[:3])
    with pytest.raises(UserError, match="unknown class 'bag'"):
        generator.sample("bag")


def generator_latents(generator, label):
    from fmcgan.training.latent import LatentStream

    yield LatentStream(0, label, generator.network.latent_dim).draw(1)


def test_small_grey_images_have_no_channel(tmp_path):
    write(tmp_path / "grey.safetensors", GREY)
    assert load_generator(tmp_path / "grey.safetensors").sample(n_per_class=2).images.shape == (6, 16, 16)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (DatasetInfo("more", (*COLOUR.class_names, "sixth"), 3, 32), r"5 classes.* more has 6"),
        (DatasetInfo("fewer", COLOUR.class_names[:4], 3, 32), r"5 classes.* fewer has 4"),
        (DatasetInfo("grey", COLOUR.class_names, 1, 32), r"\(3, 32, 32\).*grey are \(1, 32, 32\)"),
        (DatasetInfo("large", COLOUR.class_names, 3, 64), r"\(3, 32, 32\).*large are \(3, 64, 64\)"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_generator_of_other_images_than_its_data_set_is_refused(tmp_path, named, said):
    write(tmp_path / "a.safetensors", COLOUR, named)
    with pytest.raises(UserError, match=said) as caught:
        load_generator(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"channels": 2}, {"size": "32"}, {"class_names": ["a", "a"]}, {"class_names": [1, 2]}, {"flips": None}]
)
def test_a_file_of_an_impossible_data_set_is_refused_in_one_line(tmp_path, wrong):
    config, network = network_of(COLOUR)
    about = {"generator": config, "config": {"dataset": COLOUR.as_config() | wrong}, "images_seen": 1}
    write_generator(tmp_path / "a.safetensors", network.state_dict(), about | {"weights": "ema"})
    with pytest.raises(UserError, match=rf"a\.safetensors .*{next(iter(wrong))[:5]}") as caught:
        load_generator(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_generate_writes_colour_in_every_form(colour):
    drawn = load_generator(colour).sample(n_per_class=2).images
    for output in ("a.npz", "a.png", "folder"):
        generate(config_of("generate", f"run={colour}", "n_per_class=2", f"output={output}"))
    with np.load("a.npz") as file:
        assert np.array_equal(file["images"], drawn)
        assert file["labels"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    with Image.open("a.png") as grid:
        assert grid.mode == "RGB"
    for label in COLOUR.labels:
        with Image.open(Path("folder") / folder_name(COLOUR, label) / "000001.png") as picture:
            assert np.array_equal(np.asarray(picture), drawn[2 * label + 1])
    assert sorted(path.name for path in Path("folder").iterdir()) == ["1", "2", "4", "Läufe 日本", "stop"]


def test_class_folders_are_safe_and_are_read_as_the_same_classes():
    printable = tuple(text[:60] for text in PAYLOADS.values() if text.isprintable() and "${" not in text)
    names = (*printable, ".", "..", ".a", " b", "c ", "d.", "a/b", "a\\b", "1", "02", "t-shirt", "x" * 60)
    info = DatasetInfo("hostile", names)
    folders = [folder_name(info, label) for label in info.labels]
    assert len(set(folders)) == len(folders)
    assert info.parse_classes(folders) == list(info.labels)
    assert not any(re.search(r"[/\\=<>]|^\.|^-|\s$", folder) for folder in folders)
    assert [folder_name(GARMENTS, label) for label in GARMENTS.labels] == list(GARMENTS.class_names)
    one = DatasetInfo("collision", ("a/b", "0"))  # a name precedes a label
    assert [folder_name(one, label) for label in one.labels] == ["00", "0"]


def test_npz_and_space_follow_the_size_of_the_images(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    write_npz([images[:3], images[3:]], [4, 0], 2, tmp_path / "a.npz", COLOUR)
    np.savez(tmp_path / "b.npz", images=images, labels=np.array([4, 4, 0, 0]))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert check_space(write_npz, 5, 10, tmp_path / "c.npz", COLOUR) == 50 * (3 * 32 * 32 + 8)
    large = DatasetInfo("large", tuple(map(str, range(1000))), 3, 64)
    assert check_space(write_folder, 1, 10, tmp_path / "c", large) == 10 * 3 * 4096  # three blocks of the disk
    with pytest.raises(UserError, match=r"got 1,000 and 10,000; use a smaller n_per_class, some classes="):
        check_space(write_grid, 1000, 10, tmp_path / "c.png", large)


@pytest.mark.train
def test_an_onnx_model_says_what_it_draws(colour):
    export(config_of("export", f"run={colour}", "format=onnx"))
    session = onnxruntime.InferenceSession("generator.onnx", providers=["CPUExecutionProvider"])
    said = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
    assert said["class_names"] == list(COLOUR.class_names)
    assert (said["image_shape"], said["value_range"]) == ([3, 32, 32], [-1, 1])
    assert said["fmcgan"]["config"]["dataset"] == COLOUR.as_config()
    latent, labels = torch.randn(2, 6), torch.tensor([1, 4])
    (images,) = session.run(["images"], {"latent": latent.numpy(), "labels": labels.numpy()})
    expected = load_generator(colour).network(latent, labels).detach().numpy()
    assert np.abs(images - expected).max() < 1e-5


def test_class_names_that_look_like_paths_are_kept():
    named = DatasetInfo("paths", ("/home", "~/x", "https://a.b"))
    kept = provenance(
        None, {"config": {"dataset": named.as_config(), "root": "/data"}, "images_seen": 0, "weights": "ema"}
    )
    assert kept["config"] == {"dataset": named.as_config()}


def test_classes_and_n_are_checked_against_the_data_set():
    config = config_of("evaluate", "classes=[stop,4]", "n=30")
    assert check_classes(config, COLOUR) == [0, 4]
    with pytest.raises(UserError, match="multiple of 3"):
        check_classes(config_of("evaluate", "classes=[0,1,2]", "n=100"), COLOUR)
    with pytest.raises(UserError, match="unknown class 5"):
        check_classes(config_of("evaluate", "classes=[5]"), COLOUR)
    with pytest.raises(UserError, match="is not a data set"):
        dataset_info(Path())


def test_a_generator_and_a_data_set_that_differ_are_refused_in_one_line(colour, monkeypatch):
    monkeypatch.setattr("fmcgan.inference.sample_source.applied_overrides", lambda: ["data=synthetic"])
    config, generator = config_of("evaluate", "data=synthetic"), load_generator(colour)
    with pytest.raises(UserError, match=r"signs: 3 x 32 x 32, synthetic: 1 x 28 x 28") as caught:
        _data_set(config, generator)
    assert "\n" not in str(caught.value)
    data, info = _data_set(config, None)
    assert not hasattr(data, "images")  # not drawn yet
    assert info.class_names == GARMENTS.class_names


def test_a_run_is_compared_with_the_images_that_it_was_trained_on(monkeypatch):
    """Also where the command has the same data set, whose paths and typed options precede."""
    subset = {"_target_": "fmcgan.data.subset.Subset", "per_class": 2}
    own = {"_target_": "fmcgan.data.synthetic.SyntheticData", "n_train": 100, "n_test": 20, "subset": subset}
    generator = SimpleNamespace(config={"data": own | {"batch_size": 5, "seed": 0}}, info=GARMENTS)
    config = config_of("evaluate", "data=synthetic", "data.n_test=30")
    config.seed = 0
    monkeypatch.setattr("fmcgan.inference.sample_source.applied_overrides", lambda: ["data.n_test=30"])
    data, _ = _data_set(config, generator)
    data.setup()
    assert [len(data.images.train_images), len(data.images.test_images)] == [20, 30]


@pytest.mark.train
def test_colour_is_evaluated_and_the_results_name_the_data_set(colour, monkeypatch):
    monkeypatch.setattr("fmcgan.inference.sample_source.applied_overrides", lambda: ["data=signs"])
    monkeypatch.setattr("fmcgan.inference.sample_source.command_line", lambda: "python")
    few = ["metric=[sliced_wasserstein]", "metric/feature=[]", "baselines=[real]", "bootstrap_samples=0", "n=20"]
    data = {"_target_": f"{__name__}.EqualSigns", "batch_size": 5, "seed": 0}
    generate(config_of("generate", f"run={colour}", "n_per_class=4", "output=drawn"))
    found = []
    for source in (f"run={colour}", "samples=drawn", "samples=test"):
        config = config_of("evaluate", *few, source)
        config.data, config.seed = data, 0
        evaluate(config)
        name = Path(source.partition("=")[2]).stem
        found.append(json.loads(Path(f"{name}_evaluation/evaluation.json").read_text(encoding="utf-8")))
        assert read_evaluation(Path(f"{name}_evaluation/evaluation.json")) == found[-1]
        assert found[-1]["dataset"] == COLOUR.as_config()
        assert found[-1]["classes"] == list(COLOUR.class_names)
    assert found[0]["samples_sha256"] == found[1]["samples_sha256"]  # the same images, by generator and from a folder
    assert found[0]["scores"] == found[1]["scores"]
    (real,) = found[2]["scores"].values()
    assert real["n"] == 20


def test_a_grid_in_training_shows_26_classes_at_most():
    many = DatasetInfo("many", tuple(map(str, range(30))), 3, 16)
    _, network = network_of(many)
    gan = SimpleNamespace(ema=SimpleNamespace(calibrated=lambda: network), latent_dim=6)
    assert SampleGrid(n_columns=2).images(gan, many).shape == (26, 2, 16, 16, 3)
    assert SampleGrid(n_columns=2).images(gan, many).dtype == np.uint8


def test_an_evaluation_has_the_same_number_of_each_class():
    assert Evaluation({}, n=55)._balanced_n(GARMENTS) == 50
    assert Evaluation({}, n=10_000)._balanced_n(GREY) == 9_999
    with pytest.raises(UserError, match=r"callback.evaluation.n must be at least 100"):
        Evaluation({}, n=50)._balanced_n(DatasetInfo("many", tuple(map(str, range(100)))))
