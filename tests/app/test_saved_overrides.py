"""A run folder may come from anywhere: what it has saved chooses values and options, and nothing else."""

import itertools
import json
import shlex

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fmcgan.app import hydra_app
from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import key_of, parse, parse_arguments
from fmcgan.app.saved_overrides import reason_to_refuse, saved_overrides


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Makes a run folder that has saved these overrides; the current folder is the one above."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()

    def run(*overrides):
        (folder / "environment.json").write_text(json.dumps({"overrides": overrides}), encoding="utf-8")
        return folder

    return run


def resumed(*typed):
    """The arguments of a resumed run."""
    arguments = [*typed, "ckpt_path=run/checkpoints/last.ckpt"]
    return hydra_app._with_saved_overrides(parse_arguments(arguments), "train")


def composed(overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("train", [each for each in overrides if "ckpt_path" not in each]))


CALLS = ("torch.load", "numpy.load", "joblib.load", "pathlib.Path.touch", "io.open", "shutil.copy", "evil.Callback")
PLACES = (
    "callback.progress._target_={}",
    "data._target_={}",
    "loss._target_='{}'",
    "callback={{mine:{{_target_:{}}}}}",
    "callback.progress={{_target_:{},_args_:[a]}}",
    "network.generator={{conditioning:{{_target_:{}}}}}",
    "trainer.plugins=[{{_target_:{}}}]",
    "metric=[{{a:[{{_target_:{}}}]}}]",
    "+callback.mine._target_={}",
    "++data._target_={}",
    "+callback={{mine:{{_target_:{}}}}}",
    "hydra.job_logging.handlers.file.class={}",
    "hydra.callbacks.mine._target_={}",
    "hydra={{callbacks:{{mine:{{_target_:{}}}}}}}",
    "={{data:{{_target_:{}}}}}",
    'training.ema={{half_life:1,_target_:"{}"}}',
)
HOSTILE = [
    "experiment=null",
    f"seed={'9' * 5000}",
    "hydra/job_logging=console",
    "hydra.job_logging.handlers.file.filename=/tmp/x",
    "hydra.run.dir=elsewhere",
    "hydra.sweep.dir=elsewhere",
    "hydra.searchpath=[file://run]",
    "hydra/launcher=joblib",
    "callback@hydra.callbacks=progress",
    "callback@hydra=progress",
    "callback.progress._partial_=true",
    "callback.progress._recursive_=false",
    "callback.progress._convert_=all",
    "callback.progress._args_=[1]",
    "~data._target_",
    "+a=1",
    "++seed=1",
    "+experiment/study=hinge",
    "+callback@mine=progress",
    "seed=${oc.env:HOME}",
    "seed='${oc.env:HOME}'",
    "seed=[1,'a${seed}']",
    r"seed='\${seed}'",
    "seed=1,2",
    "seed=choice(1,2)",
    "seed=range(1,3)",
    "loss=glob(*)",
    "callback.samples.epochs=[choice(1,2)]",
    "data.root=/data",
    "data.root=data",
    "data.root=7",
    "data.root=''",
    "data={root:x}",
    "data.mirror=http://localhost/x",
    "data.mirror=file:///x",
    "callback.evaluation.cache=cache",
    "feature.classifier.weights=weights.pt",
    "feature.inception.weights=weights.pt",
    "feature={inception:{weights:weights.pt}}",
    "logger.tensorboard.save_dir=logs",
    "logger.tensorboard.name=../../outside",
    "logger.tensorboard.version=/tmp/x",
    "logger.tensorboard.version='~/x'",
    r"logger.tensorboard.version='..\x'",
    "trainer.default_root_dir=other",
    "trainer.default_root_dir=run/../other",
    "loss=../../run/evil",
    "loss=/run/evil",
    "loss=hinge/../../run/evil",
    "loss=evil",
    "loss=null,hinge",
    "callback=[progress,../../run/evil]",
    "callback=[[progress]]",
    "loss=[7]",
    "evil/group=hinge",
    "penalty=evil",
    "nothing",
    "=1",
    "a=b=c",
    "seed=[" * 2,
    "seed=" + "[" * 3000,
    "seed=" + "[" * 150 + "]" * 150 + "x",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("place", PLACES)
def test_a_saved_override_names_no_code(run, place, call):
    override = place.format(call)
    run("loss=hinge", override)
    with pytest.raises(UserError, match="has overrides that a file may not set") as error:
        resumed()
    assert override[:100] in str(error.value)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("override", HOSTILE, ids=lambda text: text[:40])
def test_a_saved_override_chooses_values_and_options_only(run, override):
    run("loss=hinge", override)
    with pytest.raises(UserError, match="has overrides that a file may not set"):
        resumed()


def test_a_link_out_of_the_run_folder_is_a_path_outside(run):
    folder = run("data.root=run/data")
    assert "data.root=run/data" in resumed()
    (folder / "data").symlink_to("/")
    with pytest.raises(UserError, match="a path outside the run folder"):
        resumed()


def test_what_is_typed_replaces_what_is_saved(run):
    run("data.root=/data", "callback.progress._target_=torch.load", "loss=hinge", "seed=1")
    arguments = resumed("data.root=d", "callback.progress._target_=a.B", "seed=2")
    assert set(arguments) >= {"data.root=d", "callback.progress._target_=a.B", "seed=2", "loss=hinge"}
    assert not {"data.root=/data", "callback.progress._target_=torch.load", "seed=1"} & set(arguments)


HONEST = [
    ["experiment=smoke", "penalty=none", "callback=[metrics_logger,checkpointing,run_info]", "logger=[]"],
    [
        "experiment=study/hinge",
        "metric/feature=[classifier,random]",
        "trainer.max_time=00:00:10:00",
        "seed='${n_critic}'",
    ],
    [
        "schedule@training.schedules.generator_lr=cosine",
        "training.schedules.generator_lr.end_images=9",
        "data.root='/my data'",
    ],
    [
        "optimizer@training.generator_optimizer=rmsprop",
        "conditioning/discriminator=label_map",
        "+trainer.deterministic=true",
    ],
    [
        "training.discriminator_optimizer._target_=torch.optim.SGD",
        "~training.discriminator_optimizer.betas",
        "++seed=3",
    ],
    [
        "data.mirror=https://example.org/x?a",
        "callback.samples={epochs:[0,1],n_columns:5}",
        "callback.samples.seed=null",
    ],
    ['callback.evaluation.cache="Läufe/it\'s"', "training.generator_optimizer.lr=1e-3", "trainer.precision=bf16-mixed"],
    ["data.root='a\\${b}'", "data=fashion_mnist", "training.discriminator_optimizer.betas=[0.5,0.9]", "loss=wgan_gp"],
    ["+callback.mine={_target_: my.Callback, path: /x}", "network=mlp", "network.dropout=0.0", "metric=[]"],
    ["logger.tensorboard.name='$HOME `a` \"b\"'", "logger.tensorboard.save_dir='$(ls)\\\\'", "trainer.accelerator=cpu"],
]


@pytest.mark.parametrize("chosen", HONEST, ids=lambda chosen: chosen[0])
def test_the_printed_command_resumes_the_run_as_it_was(run, chosen, monkeypatch, tmp_path):
    """Overrides that are not taken from the folder are repeated by the command."""
    before = composed(chosen)
    folder = run(*chosen)
    refused = [each for each in chosen if reason_to_refuse(parse(each), folder, [config_dir()])]
    if refused:
        with pytest.raises(UserError, match="may not set"):
            resumed()
    monkeypatch.setattr(hydra_app, "in_sweep", lambda: False)
    monkeypatch.setattr(
        hydra_app, "applied_overrides", lambda kind="task": chosen if kind == "task" else ["hydra.mode=RUN"]
    )
    runtime = OmegaConf.create({"runtime": {"cwd": str(tmp_path)}})
    monkeypatch.setattr(hydra_app.HydraConfig, "get", lambda: runtime)
    monkeypatch.setattr("sys.argv", ["train.py", *chosen])
    printed = hydra_app._resume_command(str(folder / "checkpoints" / "last.ckpt"))
    assert shlex.split(printed)[:3] == ["python", "-m", "fmcgan.train"]
    arguments = hydra_app._with_saved_overrides(parse_arguments(shlex.split(printed)[3:]), "train")
    assert f"hydra.run.dir={folder}" in arguments
    keys = [key_of(parse(each)) for each in arguments]
    assert len(keys) == len(set(keys))
    assert composed([each for each in arguments if not each.startswith("hydra.run.dir")]) == before


def test_groups_of_ones_own_need_their_folder(run, tmp_path):
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "exponential.yaml").write_text("adversarial: {}\n", encoding="utf-8")
    run("loss=exponential")
    with pytest.raises(UserError, match="for an option of your own, give --config-dir"):
        resumed()
    assert "loss=exponential" in resumed("--config-dir", "mine")
    assert "loss=exponential" in resumed("-cd", "mine")


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"x"',
    b"{}",
    b'{"overrides": null}',
    b'{"overrides": "seed=1"}',
    b"\xff\xfe",
]
DAMAGED += [b'{"overrides": [1]}', b'{"overrides": [["seed=1"]]}', b'{"overrides": {"seed": 1}}', b"[" * 100_000]
DAMAGED += [b'{"overrides": ["' + b"x" * 2_000_000 + b'"]}']


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: str(content[:25]))
def test_a_damaged_file_is_one_error_with_advice(run, content):
    (run() / "environment.json").write_bytes(content)
    with pytest.raises(UserError, match=r"environment\.json") as error:
        resumed()
    assert len(str(error.value).splitlines()) == 2


def test_an_error_shows_no_character_that_a_terminal_obeys(run):
    run("callback.a._target_='\x1b[2J\r\n'", "\x1b]0;x\x07", "+a='" + "x" * 5000 + "'")
    with pytest.raises(UserError) as error:
        resumed()
    assert all(each.isprintable() for line in str(error.value).splitlines() for each in line)
    assert len(str(error.value)) < 1000


def test_a_key_saved_twice_has_its_last_value(run):
    """Older programs accepted that."""
    folder = run("seed=1", "loss=hinge", "seed=2")
    assert saved_overrides(folder, set(), [config_dir()]) == ["seed=2", "loss=hinge"]


def test_every_option_that_there_is_can_be_resumed(run):
    files = [path for path in config_dir().rglob("*.yaml") if path.parent != config_dir()]
    options = [(path.parent.relative_to(config_dir()).as_posix(), path.stem) for path in files]
    overrides = [f"{group}={option}" for group, option in options if not group.startswith("hydra")]
    folder = run()
    assert len(overrides) > 100
    assert [each for each in overrides if reason_to_refuse(parse(each), folder, [config_dir()])] == []


def test_no_combination_of_signs_and_quotes_hides_code(run):
    folder = run()
    keys = ("callback.progress.{}", "data.{}", "loss.a.{}")
    names = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
    signs, values = ("", "+", "++", "~"), ("{}", "'{}'", '"{}"', "[{}]", "{{a:{}}}")
    combinations = list(itertools.product(signs, keys, names, values))
    for sign, key, name, value in combinations:
        assert reason_to_refuse(parse(f"{sign}{key.format(name)}={value.format('torch.load')}"), folder, [config_dir()])
        nested = f"{sign}{key.format('x')}={{{name}:{value.format('torch.load')}}}"
        if sign != "~":
            assert reason_to_refuse(parse(nested), folder, [config_dir()]), nested


def test_a_foreign_run_folder_runs_nothing(command, tmp_path):
    """As a user meets it: a callback in the folder, loggers of Hydra, a function that makes a file."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "last.ckpt").write_bytes(b"")
    (tmp_path / "run" / "evil.py").write_text("open('/tmp/evil', 'w')\n", encoding="utf-8")
    overrides = ["experiment=smoke", "callback.progress._target_=pathlib.Path.touch", "hydra/job_logging=default"]
    (tmp_path / "run" / "environment.json").write_text(json.dumps({"overrides": overrides}), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    failed = command("train", "ckpt_path=run/checkpoints/last.ckpt", code=1)
    assert "callback.progress._target_=pathlib.Path.touch (names code to run)" in failed.stderr
    assert "hydra/job_logging=default (configures Hydra itself)" in failed.stderr
    assert sorted(tmp_path.rglob("*")) == before
