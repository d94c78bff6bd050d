import subprocess
import sys

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from fmcgan.app import memory
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError


def test_amounts_are_read_in_three_digits():
    sizes = (0, 999, 1e6, 3.14e9, 7.8e24, 10**400)
    assert [memory.format_bytes(size) for size in sizes] == [
        "0.0 kB",
        "1.0 kB",
        "1.0 MB",
        "3.1 GB",
        "7.8 YB",
        "more than 1,000 YB",
    ]


def test_the_tightest_bound_counts(monkeypatch):
    monkeypatch.setattr(memory, "_machine_memory", lambda: 5e9)
    monkeypatch.setattr(memory, "_container_memory", lambda: None)
    monkeypatch.setattr(memory, "_process_memory", lambda: 0.0)
    assert memory.available() == 0
    monkeypatch.setattr(memory, "_process_memory", lambda: None)
    assert memory.available() == 5e9
    monkeypatch.setattr(memory, "_machine_memory", lambda: None)
    assert memory.available() == float("inf")  # not known: nothing is refused


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "4000\n", "memory.current": "3000\n", "memory.stat": "anon 1\ninactive_file 500\n"}, 1500),
        ({"memory.max": "4000\n", "memory.current": "9000\n", "memory.stat": ""}, 0),
        ({"memory.max": "max\n", "memory.current": "3000\n"}, None),
        (
            {"memory/memory.limit_in_bytes": "4000", "memory/memory.usage_in_bytes": "3000"}
            | {"memory/memory.stat": "total_inactive_file 10"},
            1010,
        ),
        ({}, None),
    ],
)
def test_the_limit_of_a_container(monkeypatch, files, expected):
    monkeypatch.setattr(memory, "_text", lambda path: files.get(path.removeprefix("/sys/fs/cgroup/"), ""))
    assert memory._container_memory() == expected


def test_the_machine_says_what_is_available(monkeypatch):
    text = "MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable:     40 kB\nSwapFree:      2 kB\n"
    monkeypatch.setattr(memory, "_text", lambda path: text)
    assert memory._machine_memory() == 42 * 1024
    monkeypatch.setattr(memory, "_text", lambda path: "")  # elsewhere than on Linux
    assert memory._machine_memory() > 1e8


def test_what_does_not_fit_is_refused_with_need_and_what_is_there(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2e9)
    memory.require(2e9, "it")
    with pytest.raises(UserError, match=r"^it .*3\.1 GB.*2\.0 GB"):
        memory.require(3.1e9, "it")


def failure(kind: str) -> BaseException:
    try:
        match kind:
            case "torch":
                torch.empty(10**15)
            case "numpy":
                np.empty(10**15)
            case "overflow":
                torch.empty(10**9, 10**9, 100)
            case "wrapped":
                instantiate({"_target_": "torch.nn.Linear", "in_features": 10**9, "out_features": 10**9})
            case "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB")
            case "python":
                bytearray(10**18)
    except Exception as error:
        return error
    raise AssertionError("there was room")


@pytest.mark.parametrize("kind", ["torch", "numpy", "overflow", "wrapped", "cuda", "python"])
def test_every_failed_allocation_is_one_line(kind):
    line = format_error(failure(kind))
    assert line.startswith("error: out of memory")
    assert len(line.splitlines()) == 1
    assert "data.batch_size" in line
    if kind == "cuda":
        assert "2.00 GiB" in line


def test_other_errors_are_not_taken_for_it():
    assert memory.format_allocation_error(RuntimeError("shapes differ")) is None
    assert memory.format_allocation_error(OSError("out of memory")) is None
    assert "Traceback" in format_error(RuntimeError("shapes differ")) or "unexpected error" in format_error(
        RuntimeError("x")
    )


def networks(config, device="meta"):
    with torch.device(device):
        return [instantiate(part) for part in (config.network.generator, config.network.discriminator)]


def test_need_of_training_counts_weights_and_what_is_kept(compose, monkeypatch):
    said = []
    monkeypatch.setattr(memory, "require", lambda need, *_: said.append(need))
    config = compose("network=mlp")
    generator, discriminator = networks(config)
    state = torch.get_rng_state()
    for batch_size in (2, 10, 20):
        memory.check_training(generator, discriminator, batch_size, "32-true")
    assert torch.equal(torch.get_rng_state(), state)  # a run's initial weights are what they were
    assert said[2] - said[1] == pytest.approx(10 * (said[1] - said[0]) / 8, rel=0.01)  # linear in the batch
    sizes = [sum(each.nbytes for each in network.parameters()) for network in (generator, discriminator)]
    of_an_image = (said[2] - said[1]) / 10
    assert said[0] - 2 * of_an_image == pytest.approx(5 * sizes[0] + 4 * sizes[1], rel=0.05)
    memory.check_training(generator, discriminator, 20, "bf16-mixed")
    assert said[0] < said[3] < said[2]


def test_what_a_step_keeps_is_not_more_than_it_takes(compose):
    """Counted on the meta device, and by the same hooks during a real pass."""
    config = compose("network=dcgan", "network.width=8")
    generator, discriminator = networks(config, "cpu")
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    labels = torch.zeros(50, dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        discriminator(generator(torch.randn(50, generator.latent_dim), labels), labels)
    for each in (*generator.parameters(), *discriminator.parameters()):
        kept.pop(each.untyped_storage().data_ptr(), None)
    real = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "require", lambda need, *_: said.append(need))
        for batch_size in (50, 100):
            memory.check_training(*networks(config), batch_size, "32-true")
    assert said[1] - said[0] == pytest.approx(real, rel=0.05)


@pytest.mark.parametrize(
    "overrides", [["network.width=1000000"], ["data.batch_size=100000000"], ["network.width=10000000000000"]]
)
def test_networks_and_batches_that_cannot_fit_are_refused_at_once(compose, overrides):
    config = compose("network=dcgan", *overrides)
    with pytest.raises(Exception) as refused:  # noqa: PT011 (of several types; what is said counts)
        memory.check_training(*networks(config), config.data.batch_size, "32-true")
    line = format_error(refused.value)
    assert "memory" in line
    assert "available" in line
    assert len(line.splitlines()) == 1


def test_values_that_are_wrong_in_another_way_are_left_to_who_checks_them(compose):
    config = compose("network=dcgan")
    for batch_size in (-4, 1, "a", None, [2]):
        memory.check_training(*networks(config), batch_size, "32-true")
    memory.check_training(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), 4, "32-true")


@pytest.mark.process
def test_a_process_with_a_limit_of_its_own_is_told_in_one_line(tmp_path):
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (8 * 10**9,) * 2)\n"
        "sys.argv = ['train', 'experiment=smoke', 'data.n_train=5000', 'data.batch_size=4000', 'network=resnet',"
        " 'network.width=256', 'logger=[]', 'metric=[]', 'trainer.accelerator=cpu']\n"
        "from fmcgan.train import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "of memory" in ended.stderr
    assert "data.batch_size" in ended.stderr
