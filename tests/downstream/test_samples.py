"""Where generated images come from."""

import subprocess

import pytest
import torch

from fmcgan.app.errors import UserError
from fmcgan.data.subset import Subset
from fmcgan.downstream import samples
from fmcgan.downstream.samples import GeneratorSamples, GivenSamples, ScratchSamples
from tests.downstream.drawn import INFO, noisy_classes, noisy_splits

FIRST, SECOND = Subset(n=20, seed=0), Subset(n=20, seed=1)
PLENTY = torch.tensor([10**6] * 4)


class Tiny(torch.nn.Module):
    latent_dim = 3

    def __init__(self, shift: float = 0.0):
        super().__init__()
        self.layer = torch.nn.Linear(3, 256)
        torch.nn.init.constant_(self.layer.weight, 0.3)
        torch.nn.init.constant_(self.layer.bias, shift)

    def forward(self, latents, labels):
        return (self.layer(latents) + 0.1 * labels[:, None]).tanh().view(-1, 1, 16, 16)


def rows(images):
    return [each.numpy().tobytes() for each in images]


def test_fewer_images_are_the_first_of_more_and_seeds_differ():
    sources = [GivenSamples(noisy_classes(400, 5), "file"), GeneratorSamples(Tiny(), "tiny", 2000, None)]
    for source in sources:
        few, labels = source.draw([2, 0, 3, 1], FIRST)
        assert labels.tolist() == [0, 0, 2, 2, 2, 3]
        assert few.shape == (6, 1, 16, 16)
        many, of = source.draw([5, 1, 9, 2], FIRST)
        for label in range(4):
            assert set(rows(few[labels == label])) <= set(rows(many[of == label])[: max(1, (labels == label).sum())])
        other, _ = source.draw([2, 0, 3, 1], SECOND)
        assert not set(rows(few)) & set(rows(other))
        again, _ = source.draw([2, 0, 3, 1], FIRST)
        assert torch.equal(again, few)


def test_held_out_training_images_are_not_among_the_real_ones():
    train = noisy_splits().train
    source = GivenSamples(train, "train", are_training=True)
    for real in (FIRST, SECOND, Subset(n=100, seed=0)):
        chosen = real.choose(train.labels, INFO)
        counts = train.labels[chosen].bincount(minlength=4)
        rest = source.available(counts)
        assert rest.tolist() == (train.labels.bincount() - counts).tolist()
        drawn, _ = source.draw(rest.tolist(), real)
        assert not set(rows(drawn)) & set(rows(train.images[chosen]))
        assert len(drawn) + len(chosen) == len(train)


def test_keys_name_what_changes_the_images():
    file = noisy_classes(50, 5)
    keys = [
        GivenSamples(file, "a").key(FIRST),
        GivenSamples(file, "a").key(SECOND),
        GivenSamples(noisy_classes(50, 6), "a").key(FIRST),
        GeneratorSamples(Tiny(), "b", 1, None).key(FIRST),
        GeneratorSamples(Tiny(), "b", 2, None).key(FIRST),
        GeneratorSamples(Tiny(), "b", 1, None).key(SECOND),
        GeneratorSamples(Tiny(0.5), "b", 1, None).key(FIRST),
    ]
    assert len(set(keys)) == len(keys)
    assert GeneratorSamples(Tiny(), "other name", 1, 7).key(Subset(n=30, seed=0)) == keys[3]


def test_what_a_generator_saw():
    assert GivenSamples(noisy_classes(50, 5), "file").saw_only(20) is None
    assert GivenSamples(noisy_classes(50, 5), "train", are_training=True).saw_only(20) is False
    assert [GeneratorSamples(Tiny(), "run", 1, 600).saw_only(n) for n in (20, 600)] == [False, True]
    assert GeneratorSamples(Tiny(), "run", 1, None).saw_only(20) is None


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A source whose trainings are only noted, and end with the given exit code."""
    commands = []

    def run(command, code=0):
        commands.append(command[3:])
        return code

    monkeypatch.setattr(samples, "_run", run)
    monkeypatch.setattr(samples, "load_generator", lambda *given: type("G", (), {"network": Tiny()})())
    source = ScratchSamples(tmp_path / "generators", ["experiment=quick", "data=digits"], 7, "cpu", "ema")
    return source, commands


def test_a_generator_is_trained_on_the_real_images_of_its_set_once(scratch):
    source, commands = scratch
    tail = Subset(n=50, long_tail=10.0, seed=3)
    assert source.key(tail) != source.key(FIRST)
    assert commands == []  # a key trains nothing
    source.draw([1, 1, 1, 1], tail)
    source.draw([2, 1, 1, 1], tail)
    (command,) = commands
    subset = ["data.subset.n=50", "data.subset.long_tail=10", "data.subset.seed=3", "seed=3"]
    assert command[:6] == ["experiment=quick", "data=digits", *subset]
    assert command[6].startswith("hydra.run.dir=")
    source.draw([1, 1, 1, 1], FIRST)
    assert commands[1][2] == "data.subset.n=20"
    assert "data.subset.long_tail=null" in commands[1]


def test_a_finished_training_is_found_again_and_an_interrupted_one_resumed(scratch, tmp_path):
    source, commands = scratch
    run = tmp_path / "generators" / source._run_name(FIRST)
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "last.ckpt").touch()
    source.draw([1, 0, 0, 0], FIRST)
    assert [each[0].startswith("ckpt_path=") for each in commands] == [True]
    (run / "result.json").touch()
    source.draw([1, 0, 0, 0], SECOND)
    source.draw([1, 0, 0, 0], FIRST)
    assert len(commands) == 2


def test_a_failed_training_is_an_error(scratch, monkeypatch):
    source, _ = scratch
    monkeypatch.setattr(samples, "_run", lambda command: 1)
    with pytest.raises(UserError, match="exit code 1"):
        source.draw([1, 0, 0, 0], FIRST)


def test_a_stopped_command_lets_its_training_save(monkeypatch):
    done = []

    class Process:
        def __init__(self, command):
            self.waits = iter([SystemExit(130), 130])

        def wait(self):
            done.append("wait")
            if isinstance(code := next(self.waits), BaseException):
                raise code
            return code

        def terminate(self):
            done.append("terminate")

    monkeypatch.setattr(subprocess, "Popen", Process)
    with pytest.raises(SystemExit):
        samples._run(["train"])
    assert done == ["wait", "terminate", "wait"]
