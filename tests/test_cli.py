"""The commands as a person uses them: in child processes, from an empty folder."""

import csv
import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from fmcgan.app.config_dir import config_dir
from fmcgan.app.run_files import read_metrics
from fmcgan.inference.generator import SHIPPED

EXTENDING = (Path(__file__).resolve().parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
RUN_FOLDER = {
    "index.html",
    "config.yaml",
    ".hydra",
    "train.log",
    "environment.json",
    "metrics.csv",
    "metrics.jsonl",
    "epochs.csv",
    "tensorboard",
    "samples",
    "checkpoints",
    *(f"{name}.{suffix}" for name in ("loss", "grad_norm") for suffix in ("png", "svg", "pdf")),
    "result.json",
    "real.png",
}


def test_train_resume_evaluate_generate_compare(command, tmp_path):
    trained = command("train", "experiment=smoke", "hydra.run.dir=run", "seed=3")
    assert "samples: run/samples/epoch_002.png" in trained.stderr
    assert "tensorboard --logdir run" in trained.stderr
    for name in ("generate", "evaluate", "analyze"):
        assert f"python -m fmcgan.{name} run=run" in trained.stderr
    assert not (tmp_path / "outputs").exists()  # hydra.run.dir is elsewhere
    check_run_folder(tmp_path / "run", epochs=2)

    resumed = command("train", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=3")  # nothing else repeated
    assert "run folder: run\n" in resumed.stderr
    check_run_folder(tmp_path / "run", epochs=3)

    check_evaluate(command, tmp_path)
    check_generate(command, tmp_path)
    check_export(command, tmp_path)

    compared = command("compare", "runs=run")
    assert "fd_classifier_500_test" in compared.stdout
    assert {"comparison.md", "comparison.csv", "loss.png"} <= {
        path.name for path in (tmp_path / "run/comparison").iterdir()
    }


def test_a_loss_of_ones_own_lies_outside_the_project(command, tmp_path):
    """As docs/extending.md has it: its class and yaml, trained, gone on with, drawn from."""
    code, text = (EXTENDING.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "yaml"))
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "exponential.yaml").write_text(text)
    (tmp_path / "my_losses.py").write_text(code)
    few = ("experiment=smoke", "trainer.limit_train_batches=2", "trainer.max_epochs=1", "metric=[]")
    command("train", "--config-dir", "mine", "loss=exponential", *few, "hydra.run.dir=run")
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert config["loss"]["_target_"] == "my_losses.Exponential"
    command("train", "--config-dir", "mine", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=2")
    assert [row["epoch"] for row in csv.DictReader((tmp_path / "run" / "epochs.csv").open())] == ["1", "2"]
    command("generate", "run=run", "n_per_class=1")
    refused = command("train", "--config-dir", "mine", "loss=exponential", *few, "hydra.run.dir=run", code=1)
    assert "ckpt_path=run/checkpoints/last.ckpt" in refused.stderr


def check_run_folder(folder, epochs):
    assert {path.name for path in folder.iterdir()} - {"comparison"} == RUN_FOLDER
    images = epochs * 20 * 32
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["status"], result["seed"], result["images_seen"], result["epochs"]) == (
        "finished",
        3,
        images,
        epochs,
    )
    score = result["scores"]["fd_classifier_500_test"]
    assert score["value"] > 10 * score["floor"] > 0
    assert score["n"] == 500
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["network"]["generator"]["width"] == 8
    assert "torch" in json.loads((folder / "environment.json").read_text(encoding="utf-8"))["packages"]
    with (folder / "epochs.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, epochs + 1))
    rows = read_metrics(folder / "metrics.jsonl")
    assert rows[-1]["images_seen"] == images
    assert sum("score/fd_classifier_500_test" in row for row in rows) == epochs
    pictures = [f"epoch_{epoch:03d}.png" for epoch in range(epochs + 1)]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == pictures
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["images_seen"] == images
    for path in folder.rglob("*"):
        assert "=" not in path.name


def check_evaluate(command, tmp_path):
    few = ("metric=[frechet,gan_test,memorisation]", "bootstrap_samples=10")
    evaluated = command("evaluate", "run=run", "n=500", *few)
    assert "fd_classifier_500_test" in evaluated.stdout
    assert max(map(len, evaluated.stdout.splitlines())) <= 80
    assert "training copies" in (tmp_path / "run" / "evaluation.md").read_text(encoding="utf-8")
    written = ["evaluation.json", "evaluation.md", "evaluation_agreement.png", "evaluation_by_class.png"]
    record = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["n"] == 500
    assert record["scores"]["label_agreement_classifier_500"]["better"] == "higher"
    assert np.sum(record["findings"]["agreement_matrix"]) == 500
    command("generate", "run=run", "n_per_class=50", "seed=2000", "output=same.npz")
    command("generate", "run=run", "n_per_class=50", "seed=2000", "output=same_folder")
    for samples in ("same.npz", "same_folder"):
        command("evaluate", f"samples={samples}", "data=synthetic", *few)
        same = json.loads(
            (tmp_path / f"{samples.removesuffix('.npz')}_evaluation" / "evaluation.json").read_text(encoding="utf-8")
        )
        assert same["protocol"] == record["protocol"]
        for name, result in record["scores"].items():
            assert same["scores"][name]["value"] == pytest.approx(result["value"], rel=1e-3), name
            assert same["scores"][name]["baselines"] == pytest.approx(result["baselines"], rel=1e-3), name
    for path in [*written, "evaluation_closest_pairs.png"]:
        (tmp_path / "run" / path).unlink()
    check_some_classes(command, tmp_path)


def check_some_classes(command, tmp_path):
    """Samples of two classes beside real images of the same two."""
    few = ("classes=[boot,sneaker]", "metric=[frechet,gan_test]", "bootstrap_samples=10")
    command("evaluate", "run=run", "n=100", *few, "output=drawn")
    command("generate", "run=run", "classes=[sneaker,boot]", "n_per_class=50", "seed=2000", "output=shoes.npz")
    unasked = command(
        "evaluate", "samples=shoes.npz", "data=synthetic", "metric=[gan_test]", "baselines=[]", "output=all"
    )
    assert "classes=[sneaker,boot]" in unasked.stderr
    asked = command("evaluate", "samples=shoes.npz", "data=synthetic", *few, "output=given")
    assert "classes=[sneaker,boot]" not in asked.stderr
    drawn, given = (
        json.loads((tmp_path / name / "evaluation.json").read_text(encoding="utf-8")) for name in ("drawn", "given")
    )
    for name, result in drawn["scores"].items():
        assert given["scores"][name]["value"] == pytest.approx(result["value"], rel=1e-3), name
        assert given["scores"][name]["baselines"] == pytest.approx(result["baselines"], rel=1e-3), name
    for by_class in ("by_class", "floor_by_class"):
        values = given["scores"]["label_agreement_classifier_100"][by_class]
        assert [label for label, value in enumerate(values) if value is not None] == [7, 9]
    assert "only images of boot, sneaker" in (tmp_path / "given" / "evaluation.md").read_text(encoding="utf-8")
    refused = command("evaluate", "samples=shoes.npz", "data=synthetic", "classes=[boot,bag]", code=1)
    assert "has no images of bag; it has classes=[sneaker,boot]" in refused.stderr


def check_generate(command, tmp_path):
    command("generate", "run=run", "classes=[bag,3]", "n_per_class=4", "seed=5", "output=pictures/two.npz")
    with np.load(tmp_path / "pictures" / "two.npz") as file:
        images, labels = file["images"], file["labels"]
    assert images.shape == (8, 28, 28)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert labels.tolist() == [8] * 4 + [3] * 4
    command("generate", "run=run/checkpoints/last.ckpt", "n_per_class=2", "seed=5", "output=folder")
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == sorted(
        ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
    )
    second_bag = np.asarray(Image.open(tmp_path / "folder" / "bag" / "000001.png"))
    assert np.abs(second_bag.astype(int) - images[1].astype(int)).max() <= 1  # whatever else is asked for
    command("generate", "run=run", "output=grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > 10 * 28
        assert grid.height > 10 * 28


def check_export(command, tmp_path):
    exported = command("export", "run=run", "output=new/tiny.safetensors")
    assert "new/tiny.safetensors" in exported.stderr
    assert "weights=ema, 1,920 images seen" in exported.stderr
    command("generate", "run=run", "n_per_class=3", "output=of_run.npz")
    command("generate", "run=new/tiny.safetensors", "n_per_class=3", "output=of_file.npz")
    with np.load(tmp_path / "of_run.npz") as of_run, np.load(tmp_path / "of_file.npz") as of_file:
        assert np.array_equal(of_run["images"], of_file["images"])
    evaluated = command("evaluate", "run=new/tiny.safetensors", "n=50", "metric=[gan_test]", "baselines=[]")
    assert "label_agreement_classifier_50" in evaluated.stdout
    assert (tmp_path / "new" / "tiny_evaluation" / "evaluation.json").is_file()


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no generator is shipped with this checkout")
def test_the_shipped_generator_draws_without_a_run(command, tmp_path):
    drawn = command("generate")
    assert "shipped generator" in drawn.stderr
    with Image.open(tmp_path / "samples.png") as grid:
        assert grid.height > 10 * 28


def test_real_garments_become_recognisable(command, mirror, tmp_path):
    """The main job on the real data, cut short: 12,800 images are enough to be read far above chance (0.1)."""
    run = ["data.root=data", f"data.mirror={mirror}", "trainer.max_epochs=1", "trainer.limit_train_batches=200"]
    command("train", *run, "network.width=16", "callback.evaluation.n=2000", "hydra.run.dir=run", "logger=[]")
    scores = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))["scores"]
    assert scores["label_agreement_classifier_2k"]["value"] > 0.3
    assert scores["label_agreement_classifier_2k"]["floor"] > 0.92
    assert scores["fd_classifier_2k_test"]["value"] < 50  # uniform noise is at 91
    assert scores["fd_classifier_2k_test"]["floor"] < 0.1
    command("generate", "run=run", "classes=[boot]", "n_per_class=4", "output=boots.png")


def test_a_sweep_survives_a_failing_job_and_goes_on_where_it_stopped(command, tmp_path):
    small = ["experiment=smoke", "trainer.limit_train_batches=2", "trainer.max_epochs=1", "logger=[]", "metric=[]"]
    sweep = ["-m", *small, "loss=hinge,wgan", "penalty.weight=1"]  # neither loss has a penalty with a weight
    refused = command("train", *sweep, "hydra.sweep.dir=refused", code=1)
    assert "unknown key penalty.weight" in refused.stderr
    sweep = ["-m", *small, "network.width=0,8", "seed=0,1", "hydra.sweep.dir=sweep"]
    failed = command("train", *sweep, code=1)
    assert failed.stderr.count("network.width must be a whole number of at least 1, got 0") == 2
    summary = failed.stderr.partition("sweep in sweep")[2]
    assert re.findall(r"^  (finished|FAILED) .*width-(\d)__seed-(\d)", summary, re.MULTILINE) == [
        ("FAILED", "0", "0"),
        ("FAILED", "0", "1"),
        ("finished", "8", "0"),
        ("finished", "8", "1"),
    ]
    jobs = sorted(path for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert "width must be" in (jobs[0] / "train.log").read_text(encoding="utf-8")
    assert [(job / "error.json").exists() for job in jobs] == [True, True, False, False]
    assert "network.width" in json.loads((jobs[0] / "error.json").read_text(encoding="utf-8"))["message"]
    before = {job.name: (job / "result.json").stat().st_mtime_ns for job in jobs[2:]}
    again = command("train", *sweep, code=1)
    assert again.stderr.count("already finished, skipped") == 2
    assert {job.name: (job / "result.json").stat().st_mtime_ns for job in jobs[2:]} == before
    compared = command("compare", "runs=sweep").stdout.splitlines()
    assert len(compared) <= 10
    assert "2 runs failed or unfinished: see runs.csv" in compared
    page = (tmp_path / "sweep" / "comparison" / "comparison.md").read_text(encoding="utf-8")
    assert page.count("not in the tables") == 2  # both failed jobs, by name
    assert jobs[0].name in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["loss=wasserstien"], ["there is no loss=wasserstien", "hinge", "wgan_gp"]),
        (["network.widht=3"], ["unknown key network.widht", "Did you mean network.width?"]),
        (["banana=1"], ["unknown key banana", "n_critic"]),
        (
            ["trainer.precision=16-mixed"],
            ["trainer.precision must be one of auto, 32-true, bf16-mixed, got '16-mixed'"],
        ),
        (["trainer.max_epochs=many"], ["trainer.max_epochs must be a whole number of at least 1, got 'many'"]),
        (["trainer.devices=2"], ["trainer=ddp"]),
        (["trainer.max_epochs=-1"], ["needs trainer.max_time"]),
        (["trainer.max_epochs=0"], ["trainer.max_epochs must be a whole number of at least 1, got 0"]),
        (["trainer.limit_train_batches=0"], ["trainer.limit_train_batches must be a number of at least"]),
        (["seed=-1"], ["seed must be a whole number from 0 to 4294967295, got -1"]),
        (["hydra.run.dir=/dev/null/run"], ["Not a directory", "/dev/null/run"]),
        (["-m", "trainer=ddp", "hydra.sweep.dir=s"], ["several devices do not work inside a sweep"]),
    ],
)
def test_errors_before_anything_heavy_is_imported(command, arguments, told):
    failed = command("train", *arguments, code=1)
    assert all(each in failed.stderr for each in told), failed.stderr
    assert "Traceback" not in failed.stderr
    errors = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("train", ["experiment=smoke", "network.width=abc"], "width must be a whole number of at least 1, got 'abc'"),
        ("train", ["experiment=smoke", "data.batch_size=9999"], "data.batch_size must be at most 2000"),
        ("train", ["experiment=smoke", "ckpt_path=nowhere.ckpt"], "ckpt_path=nowhere.ckpt: no such file"),
        ("train", ["data.root=d", "data.mirror=/not/there"], "/not/there"),
        ("train", ["experiment=smoke", "metric/feature=[inception]"], "weights-inception-2015-12-05-6726825d.pth"),
        ("generate", ["run=nowhere"], "run=nowhere: no such file or folder"),
        ("generate", ["run=."], "no checkpoints/last.ckpt"),
        ("export", ["run=nowhere"], "run=nowhere: no such file or folder"),
        ("export", ["run=x", "format=pickle"], "format must be one of safetensors, onnx, html, hub, got 'pickle'"),
        ("export", ["run=x", "dtype=int8"], "dtype must be one of float32, float16, got 'int8'"),
        ("export", ["run=x", "output=a.pt"], "must end in .safetensors for format=safetensors"),
        ("export", ["run=x", "format=onnx", "dtype=float16"], "format=onnx"),
        ("generate", ["run=x", "output=a.jpg"], "output=a.jpg: "),
        ("evaluate", ["run=x", "samples=y"], "samples=y"),
        ("evaluate", ["samples=none.npz"], "samples=none.npz: no such file"),
        ("evaluate", ["run=x", "reference=validation"], "reference must be one of train, test, got 'validation'"),
        ("evaluate", ["run=x", "n=5"], "n must be a whole number of at least 20, got 5"),
        ("evaluate", ["run=x", "metric=[]"], "metric=[] selects no metric"),
        ("evaluate", ["run=0"], "run=0: no such file or folder"),
        ("evaluate", ["classes=[boot,sneeker]"], "unknown class 'sneeker'; choose from 0 t-shirt"),
        ("evaluate", ["run=x", "baselines=real"], "baselines must be a list such as baselines=[real,"),
        ("evaluate", ["samples=a.npz", "device=nonsense"], "device=nonsense"),
        ("evaluate", ["run=x", "metric=[frechett]"], "there is no metric=frechett. Did you mean frechet? Available: "),
        ("compare", ["runs=nowhere"], "nowhere"),
    ],
)
def test_errors_of_a_person_are_one_or_two_lines(command, name, arguments, told):
    failed = command(name, *arguments, code=1, env={"TORCH_HOME": "/nonexistent"})
    message = failed.stderr[failed.stderr.index("error: ") :]
    assert told in message
    assert len(message.strip().splitlines()) <= 2, message


def test_checkpoints_of_other_networks_and_damaged_ones(command, tmp_path):
    small = ["experiment=smoke", "trainer.limit_train_batches=2", "trainer.max_epochs=1", "logger=[]", "metric=[]"]
    command("train", *small, "hydra.run.dir=run")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    failed = command("train", *small, f"ckpt_path={checkpoint}", "network.width=16", "hydra.run.dir=other", code=1)
    assert "network.width=16 (checkpoint: 8)" in failed.stderr
    assert "Traceback" not in failed.stderr
    # The refused attempt left no trace in what a plain resume repeats.
    command("train", f"ckpt_path={checkpoint}", "network.width=16", code=1)
    command("train", f"ckpt_path={checkpoint}")
    no_device = command("generate", "run=run", "device=cuda", code=1)
    assert "error: device=cuda " in no_device.stderr
    check_untrusted(command, checkpoint, tmp_path)
    unknown = command("generate", "run=run", "classes=[bag,hat]", code=1)
    assert "unknown class 'hat'; choose from 0 t-shirt, 1 trouser" in unknown.stderr
    checkpoint.write_bytes(checkpoint.read_bytes()[:-2000])
    for command_line in (["generate", "run=run"], ["train", f"ckpt_path={checkpoint}"]):
        failed = command(*command_line, code=1)
        assert "last.ckpt" in failed.stderr
        assert "Traceback" not in failed.stderr


def check_untrusted(command, checkpoint, tmp_path):
    """A checkpoint's configuration must not build anything but networks."""
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["network"]["generator"] = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "touched")}
    torch.save(content, tmp_path / "hostile.ckpt")
    failed = command("generate", "run=hostile.ckpt", code=1)
    assert "pathlib.Path.touch" in failed.stderr
    assert not (tmp_path / "touched").exists()


def test_help_is_quick_and_says_what_there_is(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ended = command("train", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"}, fresh=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.5  # 0.5 s where this was written
    imported = set(re.findall(r"^import time:.*\| +([\w.]+)$", ended.stderr, re.MULTILINE))
    assert "hydra" in imported
    assert not imported & {"torch", "numpy", "lightning", "torchvision", "matplotlib", "scipy", "PIL", "tqdm"}
    shown = ended.stdout
    assert re.search(r"^loss=OPTION\n  dragan +\w", shown, re.MULTILINE)
    assert "trainer.max_epochs=10" in shown


@pytest.mark.parametrize("name", ["evaluate", "generate", "export", "compare"])
def test_every_command_has_help(command, name):
    shown = command(name, "--help").stdout
    assert f"python -m fmcgan.{name}" in shown
    assert re.search(r"^  output=\S+ +\w", shown, re.MULTILINE)
    assert "_target_" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert command(name, "--help", "hydra.verbose=false").stdout == shown  # by Hydra itself


@pytest.mark.parametrize(
    ("name", "groups"),
    [("evaluate", ["metric", "metric/feature", "data"]), ("analyze", ["analysis", "metric", "metric/feature", "data"])],
)
def test_help_lists_what_the_command_can_choose_and_no_more(command, name, groups):
    shown = command(name, "--help").stdout.partition("Choose from")[2].partition("Values and")[0]
    listed = dict(re.findall(r"^([a-z/]+)=\S+\n((?:  .*\n)+)", shown, re.MULTILINE))
    assert sorted(listed) == sorted(groups)
    for group, options in listed.items():
        there = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
        assert re.findall(r"^  (\w+)", options, re.MULTILINE) == there, group
