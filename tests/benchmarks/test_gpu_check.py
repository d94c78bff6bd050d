"""The checks run on the CPU at a tiny size, with steps recorded by torch's dispatcher."""

import json
import time
from dataclasses import replace

import pytest
import torch

from benchmarks import setting as settings
from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import capture, commands, runs, speed
from benchmarks.gpu_check.check import Check, Conditions, Failed, Skipped
from fmcgan.training import cuda_graphs


@pytest.fixture
def conditions(tiny):
    return Conditions(tiny("training.fused=false"), epochs=2, limits=("trainer.limit_train_batches=2",))


def test_a_kernel(conditions):
    assert capture.kernel(conditions)["largest difference"] == 0


@pytest.mark.train
def test_a_pair_is_captured_and_one_that_is_not_is_told(conditions, monkeypatch):
    monkeypatch.setattr(capture, "PAIRS", {"wgan_gp": ("loss=wgan_gp", "n_critic=2")})
    assert capture.capture(conditions) == {"wgan_gp, 32-true": "2 of 2"}

    def fail(self, step):
        def record(body):
            raise RuntimeError("no capture")

        return record

    monkeypatch.setattr(Conditions, "recorder", fail)
    monkeypatch.setattr(cuda_graphs, "torch_release", lambda: (2, 15))
    with pytest.raises(Failed, match="not captured, or not finite: wgan_gp, 32-true") as error:
        capture.capture(conditions)
    assert error.value.numbers == {"wgan_gp, 32-true": "0 of 2"}


def test_every_pair_can_be_composed(conditions):
    assert len(capture.PAIRS) == 9
    for overrides in capture.PAIRS.values():
        conditions.with_overrides(*overrides).config()


@pytest.mark.train
def test_captured_steps_equal_eager_ones(conditions):
    numbers = capture.same_as_eager(conditions)
    assert numbers["largest relative difference from eager"] == 0
    assert numbers["captured runs equal to the bit"]


@pytest.mark.train
def test_replays_follow_the_rate(conditions):
    numbers = capture.rate_zero(conditions)
    assert numbers["graphs"] == 1
    assert numbers["moved at rate 0"] == 0 < numbers["moved at the usual rate"]


@pytest.mark.train
@pytest.mark.parametrize(("release", "outcome"), [((2, 15), "goes on"), ((2, 14), "ends")])
def test_a_failed_capture(conditions, monkeypatch, release, outcome):
    monkeypatch.setattr(cuda_graphs, "torch_release", lambda: release)
    numbers = capture.failed_capture(conditions)
    assert numbers["outcome"] == outcome
    assert "not permitted" in str(numbers)


@pytest.mark.train
@pytest.mark.parametrize("check", [runs.evaluation_between, runs.resume])
def test_runs_on_a_cpu_repeat_to_the_bit(conditions, check):
    numbers = check(conditions)
    assert numbers["difference"] == numbers["of two equal runs"] == 0


def test_another_weight_is_found():
    one, two = {"weight": torch.zeros(2)}, {"weight": torch.tensor([0.0, 0.5])}
    assert runs._compared(one, one, one, "other weights") == {"difference": 0, "of two equal runs": 0}
    with pytest.raises(Failed, match="other weights"):
        runs._compared(one, one, two, "other weights")


@pytest.mark.train
def test_times_and_profile(conditions):
    numbers = speed.step_times(conditions)
    assert all(
        numbers[f"32-true, {name}, ms"] > 0 for name in ("trainer", "bare captured", "bare eager", "replay alone")
    )
    profile = speed.profiled(conditions)
    assert profile["kernels in a replay"] > 100
    with pytest.raises(Skipped, match="GPU memory"):
        speed.memory(conditions)


@pytest.mark.process
def test_commands_and_whole_runs(conditions, python_forks, monkeypatch):
    numbers = runs.long_run(conditions)
    assert numbers["training seconds"] > 0
    assert runs.precision(conditions)["chosen"] in ("32-true", "bf16-mixed")
    monkeypatch.setattr(commands, "_METRICS", "spectrum")
    conditions = Conditions(conditions.setting, analysis=("analysis=[sample_check]",))
    assert commands.commands(conditions)["largest difference of images, grey levels"] == 0


@pytest.fixture
def listed(monkeypatch):
    """Replaces the checks by others that run in this process."""

    def listed(**checks):
        monkeypatch.setattr(
            command, "CHECKS", {name: Check(run, f"title of {name}", 60) for name, run in checks.items()}
        )
        monkeypatch.setattr(settings, "has_real_images", lambda: False)
        monkeypatch.setattr(command.machine, "record", lambda setting: {"hardware": "a GPU"})

        def in_process(name, arguments, limit):
            return command._outcome(name, command._conditions(arguments))

        monkeypatch.setattr(command, "_in_process", in_process)

    return listed


def refuse(conditions):
    raise Failed("not so", {"found": 1.5})


def skip(conditions):
    raise Skipped("not here")


def test_one_that_fails_does_not_stop_the_others(listed, tmp_path, capsys):
    listed(kernel=lambda conditions: {"x": 1}, refused=refuse, broken=lambda conditions: 1 / 0, left_out=skip)
    output = tmp_path / "folder" / "check.json"
    with pytest.raises(SystemExit) as ended:
        command.main(["--device=cpu", f"--output={output}"])
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        *(["kernel", "ok"], ["refused", "failed"], ["broken", "failed"], ["left_out", "skipped"])
    ]
    assert lines[1].endswith("title of refused: not so: found 1.5")
    assert "ZeroDivisionError: division by zero (test_gpu_check.py:" in lines[2]
    assert lines[4].startswith("2 of 4 checks failed")
    written = json.loads(output.read_text(encoding="utf-8"))
    assert written["checks"]["refused"] == {
        "status": "failed",
        "reason": "not so",
        "numbers": {"found": 1.5},
        "seconds": 0,
    }
    assert (written["hardware"], written["device"], written["seconds"]) == ("a GPU", "cpu", 0)


def test_nothing_is_tried_where_no_kernel_runs_and_exit_code_0_without_a_failure(listed, tmp_path, capsys):
    listed(kernel=refuse, other=pytest.fail)
    with pytest.raises(SystemExit) as ended:
        command.main(["--device=cpu", f"--output={tmp_path / 'check.json'}"])
    assert ended.value.code == 1
    assert "other              skipped    0.0 s  title of other: no kernel runs" in capsys.readouterr().out
    listed(kernel=lambda conditions: {}, other=skip)
    with pytest.raises(SystemExit) as ended:
        command.main(["--device=cpu", f"--output={tmp_path / 'check.json'}"])
    assert ended.value.code == 0


@pytest.mark.process
def test_a_check_in_a_process_of_its_own(tmp_path):
    arguments = command._arguments(["kernel", "--device=cpu"])
    outcome = command._in_process("kernel", arguments, 300)
    assert outcome["reason"] == ""
    assert outcome["status"] == "ok"
    assert outcome["numbers"] == {"largest difference": 0}
    start = time.perf_counter()
    outcome = command._in_process("kernel", arguments, 0.2)
    assert (outcome["status"], outcome["reason"]) == ("failed", "not done after 0 s")
    assert time.perf_counter() - start < 10


def test_the_machine_is_named_even_if_its_gpu_does_not_work(conditions, monkeypatch):
    def record(setting):
        if setting.device.type == "cuda":
            raise RuntimeError("no kernel image")
        return {"date": "today", "hardware": "CPU"}

    monkeypatch.setattr(command.machine, "record", record)
    setting = replace(conditions.setting, device=torch.device("cuda"))
    assert command._machine(replace(conditions, setting=setting)) == {
        "date": "today",
        "hardware": "cuda: no kernel image",
    }
