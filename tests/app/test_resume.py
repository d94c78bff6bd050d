"""What a run is refused for, or warned of, before it starts."""

import copy
import json
import logging

import pytest
import torch
from omegaconf import OmegaConf

from fmcgan.app import resume
from fmcgan.app.errors import UserError


def test_a_finished_job_is_recognised_whatever_auto_became(plain, tmp_path):
    config = plain()
    folder = tmp_path / "run"
    OmegaConf.save(config | {"trainer": config["trainer"] | {"precision": "bf16-mixed"}}, folder / "config.yaml")
    result = {"status": "finished", "images_seen": 640, "training_seconds": 1.0, "scores": {}}
    (folder / "result.json").write_text(json.dumps(result))
    assert resume.already_done(config)
    with pytest.raises(UserError, match="another configuration"):
        resume.already_done(config | {"n_critic": 2})


@pytest.mark.parametrize(
    "given",
    [
        {"name": "second"},
        {"lr": 1e-3},
        {"objective": "fd_classifier_10k_test"},
        {"trust": ["my_package"]},
        {"logger": ["csv"]},
        {"ckpt_path": "last.ckpt"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_finished_job_is_recognised_whatever_is_asked_of_this_start(plain, tmp_path, given):
    """Names, trackers, trust and the objective do not change what was trained; the optimizers have the rates."""
    config = plain()
    OmegaConf.save(config, tmp_path / "run" / "config.yaml")
    result = {"status": "finished", "images_seen": 640, "training_seconds": 1.0, "scores": {}}
    (tmp_path / "run" / "result.json").write_text(json.dumps(result))
    assert config.keys() >= given.keys()
    assert resume.already_done(config | given)
    config["training"]["generator_optimizer"]["lr"] *= 2
    with pytest.raises(UserError, match="another configuration"):
        resume.already_done(config | given)


def test_a_finished_job_of_the_release_before_data_sets_is_recognised(plain, tmp_path):
    """Its configuration has neither classes nor shape of the images, which were always those of garments."""
    config = plain("augment=diff_augment", "conditioning/discriminator=label_map")
    old = copy.deepcopy(config)
    del old["dataset"], old["augment"]["policies"]["brightness"]["saturation"]
    for network in old["network"].values():
        for part in (network, network["conditioning"]) if isinstance(network, dict) else ():
            for name in ("num_classes", "channels", "image_size"):
                part.pop(name, None)
    OmegaConf.save(old, tmp_path / "run" / "config.yaml")
    result = {"status": "finished", "images_seen": 640, "training_seconds": 1.0, "scores": {}}
    (tmp_path / "run" / "result.json").write_text(json.dumps(result))
    assert resume.already_done(config)
    larger = copy.deepcopy(config)
    larger["dataset"]["size"] = larger["network"]["generator"]["image_size"] = 32
    with pytest.raises(UserError, match="another configuration"):
        resume.already_done(larger)


@pytest.mark.parametrize("name", ["config.yaml", "result.json"])
@pytest.mark.parametrize("text", ["", "[", "null", "3", "[]", "seed: [1]", "{}", '{"status": 3}'])
def test_a_damaged_job_of_a_sweep_is_one_line(plain, tmp_path, name, text):
    config = plain()
    OmegaConf.save(config, tmp_path / "run" / "config.yaml")
    (tmp_path / "run" / name).write_text(text, encoding="utf-8")
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "last.ckpt").touch()  # there is something to lose
    with pytest.raises(UserError, match=f"{name}|another configuration"):
        resume.already_done(config)


def test_a_job_without_a_finished_result_is_not_done(plain, tmp_path):
    config = plain()
    OmegaConf.save(config, tmp_path / "run" / "config.yaml")
    assert not resume.already_done(config)
    result = {"status": "interrupted", "images_seen": 640, "training_seconds": 1.0, "scores": {}}
    (tmp_path / "run" / "result.json").write_text(json.dumps(result))
    assert not resume.already_done(config)


def test_a_checkpoint_of_another_augmentation_is_refused(fit, compose, tmp_path):
    """What the augmentation remembers is in the checkpoint."""
    fit("trainer.max_epochs=1", "trainer.limit_train_batches=1", "augment=adaptive")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    config = compose(f"ckpt_path={path}")
    with pytest.raises(UserError, match="trained with the augment Adaptive, this run has NoAugmentation"):
        resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True))
    config = compose(f"ckpt_path={path}", "augment=adaptive")
    assert resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True)) == str(path)


def test_a_checkpoint_of_other_images_is_refused(fit, compose, tmp_path):
    """An older one, which does not name its data set, is of garments."""
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    fit(*few)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    config = compose(f"ckpt_path={path}", *few)
    content = torch.load(path, weights_only=True)
    for saved in (content["config"]["dataset"], None):
        content["config"]["dataset"] = saved
        torch.save(content, path)
        plain = OmegaConf.to_container(config, resolve=True)
        assert resume.find_resume_checkpoint(config, plain) == str(path)
        for other, said in (({"channels": 3}, "3 x 28 x 28"), ({"class_names": list("abcdefghij")}, "0 a, 1 b")):
            with pytest.raises(UserError, match=f"another data set: .*{said}"):
                resume.find_resume_checkpoint(config, plain | {"dataset": plain["dataset"] | other})
    content["config"]["dataset"] = plain["dataset"] | {"channels": 2}
    torch.save(content, path)
    with pytest.raises(UserError, match=r"last\.ckpt .*channel"):
        resume.find_resume_checkpoint(config, plain)


def test_a_finished_job_that_does_not_name_its_data_set_is_recognised(plain, tmp_path):
    config, folder = plain(), tmp_path / "run"
    (folder / "result.json").write_text(
        json.dumps({"status": "finished", "images_seen": 640, "training_seconds": 1.0, "scores": {}})
    )
    OmegaConf.save({name: each for name, each in config.items() if name != "dataset"}, folder / "config.yaml")
    assert resume.already_done(config)
    OmegaConf.save(
        config | {"dataset": config["dataset"] | {"class_names": list("abcdefghij")}}, folder / "config.yaml"
    )
    with pytest.raises(UserError, match="another configuration"):
        resume.already_done(config)


def test_a_checkpoint_of_another_optimizer_is_refused(fit, compose, tmp_path):
    """Its moments mean nothing to another kind; another rate is welcome."""
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    fit(*few)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    config = compose(f"ckpt_path={path}", *few, "optimizer@training.discriminator_optimizer=rmsprop")
    with pytest.raises(UserError, match="with the discriminator_optimizer Adam, this run has RMSprop"):
        resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True))
    config = compose(f"ckpt_path={path}", *few, "training.discriminator_optimizer.lr=1e-3")
    assert resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True)) == str(path)


def test_another_loss_than_the_checkpoints_is_told_of(fit, compose, caplog, tmp_path):
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    fit(*few)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    for other, said in (
        (["trainer.accelerator=cpu"], ""),
        (["loss=hinge", "training.ema.half_life=7"], "fmcgan.loss.hinge.Hinge (checkpoint: fmcgan.loss.non_saturating"),
    ):
        config = compose(f"ckpt_path={path}", *few, *other)
        caplog.clear()
        resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True))
        assert said in caplog.text
        assert bool(said) == bool(caplog.text)
    assert "training.ema.half_life=7 (checkpoint: 10000)" in caplog.text


COSINE = "schedule@training.schedules.generator_lr=cosine"


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ([COSINE], True),
        ([COSINE, "training.schedules.generator_lr.end_images=500"], False),
        ([COSINE, "trainer.max_epochs=-1"], False),  # refused later: the end of the run is not known
        (["schedule@training.schedules.generator_lr=constant"], False),
        (["trainer.max_time=null", COSINE], False),
        ([], False),
    ],
)
def test_a_limit_in_time_may_cut_a_schedule_short(compose, caplog, options, warned):
    with caplog.at_level(logging.WARNING):
        resume.check_config(compose("trainer.max_time=00:00:01:00", *options))
    assert ("generator_lr" in caplog.text and "trainer.max_time=00:00:01:00" in caplog.text) == warned


def test_a_longer_run_stretches_the_schedules_of_its_checkpoint(fit, compose, caplog, tmp_path):
    few = ("trainer.limit_train_batches=1", COSINE)
    fit("trainer.max_epochs=1", *few)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    for other, said in (
        ("trainer.max_epochs=1", ""),
        ("trainer.max_epochs=2", "trainer.max_epochs=2 (checkpoint: 1): schedules generator_lr"),
        ("trainer.limit_train_batches=3", "trainer.limit_train_batches=3 (checkpoint: 1): schedules generator_lr"),
        ("data.batch_size=16", "data.batch_size=16 (checkpoint: 32): schedules generator_lr"),
    ):
        caplog.clear()
        config = compose(f"ckpt_path={path}", "trainer.max_epochs=1", *few, other)
        resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True))
        assert said in caplog.text
        assert bool(said) == bool(caplog.text)


def test_a_checkpoint_from_before_an_option_was_there_goes_on(fit, compose, tmp_path):
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1", "network=dcgan", "network.width=4")
    fit(*few)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["config"]["network"]["generator"]["refine"]
    torch.save(content, path)
    config = compose(f"ckpt_path={path}", *few)
    assert resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True)) == str(path)
    config = compose(f"ckpt_path={path}", "network.generator.refine=true", *few)
    with pytest.raises(UserError, match="networks of the checkpoint differ"):
        resume.find_resume_checkpoint(config, OmegaConf.to_container(config, resolve=True))


def test_a_damaged_checkpoint_of_a_sweep_says_what_to_do(fit, compose, monkeypatch, tmp_path):
    """Its job would fail at every start."""
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    fit(*few)
    monkeypatch.setattr(resume, "in_sweep", lambda: True)
    config = compose("metric=[]", "callback=[metrics_logger,checkpointing,run_info]", *few)  # as `fit` does
    plain = OmegaConf.to_container(config, resolve=True)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    with pytest.raises(UserError, match=r"damaged.*\nTo continue: remove it to restart this job\."):
        resume.find_resume_checkpoint(config, plain)
    path.with_name("best.ckpt").write_bytes(whole)
    with pytest.raises(UserError, match=r"To continue: copy \S+best.ckpt over it to resume from there, or remove it"):
        resume.find_resume_checkpoint(config, plain)
    path.unlink()
    assert not resume.already_done(plain)
    assert resume.find_resume_checkpoint(config, plain) is None


def test_a_sweep_never_writes_over_a_run_whose_configuration_is_gone(fit, compose, plain, tmp_path):
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    fit(*few, "callback=[metrics_logger,run_info]")  # it keeps no checkpoint: its rows are all there is
    (tmp_path / "run" / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"holds another run; choose another hydra\.sweep\.dir"):
        resume.already_done(plain(*few))
