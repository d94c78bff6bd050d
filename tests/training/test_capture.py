"""The recording is made by torch's own dispatcher here: it keeps every kernel with the tensors it reads and writes.

Replaying such a tape does on any machine what a CUDA graph does on a GPU: whatever the host decided while recording is
frozen, every tensor stays where it was.
"""

import logging

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fmcgan.training.capture import CapturedStep, cuda_graph


class Tape(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.kernels = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.kernels.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, result in self.kernels:
            for old, new in zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def state_of(step):
    networks = [*step.generator.state_dict().values(), *step.discriminator.state_dict().values()]
    optimizers = step.generator_optimizer, step.discriminator_optimizer
    return networks + [value for each in optimizers for state in each.state.values() for value in state.values()]


def on_tape(step, recordings):
    """Records as `cuda_graph` does: without a trace of having run."""

    def record(body):
        state, tape = state_of(step), Tape()
        before, random = [value.clone() for value in state], torch.get_rng_state()
        with tape:
            result = body()
        for value, old in zip(state, before, strict=True):
            value.detach().copy_(old)
        torch.set_rng_state(random)
        result.detach().fill_(float("nan"))
        recordings.append(tape)
        return result, tape.replay

    return record


def take_steps(step, count, make_inputs, bf16):
    metrics = []
    for number in range(count):
        torch.manual_seed(number)  # of dropout
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            turn = {"with_generator": number % 3 != 0, "with_penalty": number % 2 == 0}
            metrics.append(step(*make_inputs(seed=number), **turn))
    return metrics


@pytest.mark.parametrize("network", ["dcgan", "conv", "mlp"])
@pytest.mark.parametrize("bf16", [False, True])
def test_replayed_steps_are_those_of_python_to_the_bit(make_step, make_inputs, network, bf16):
    eager, step, recordings = make_step(network, clip=1.0), make_step(network, clip=1.0), []
    captured = CapturedStep(step, on_tape(step, recordings))
    expected = take_steps(eager, 30, make_inputs, bf16)
    metrics = take_steps(captured, 30, make_inputs, bf16)
    assert len(recordings) == 4  # the four combinations of the two decisions
    for value, other in zip(state_of(eager), state_of(step), strict=True):
        assert torch.equal(value, other)
    for one, two in zip(expected, metrics, strict=True):  # also those read many replays later
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name].float(), two[name]) for name in one)


def test_a_batch_of_another_size_and_another_learning_rate_are_not_replayed(make_step, make_inputs):
    step, recordings = make_step(), []
    captured = CapturedStep(step, on_tape(step, recordings))
    for _ in range(4):
        captured(*make_inputs())
    assert len(recordings) == 1
    captured(*make_inputs(n=4))
    before = step.discriminator.logit.bias.clone()
    step.discriminator_optimizer.param_groups[0]["lr"] = 0.0
    captured(*make_inputs())
    assert torch.equal(step.discriminator.logit.bias, before)
    assert len(recordings) == 1


def test_where_recording_fails_the_step_goes_on(make_step, make_inputs, caplog):
    def fail(body):
        body()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    captured = CapturedStep(make_step(), fail)
    with caplog.at_level(logging.WARNING):
        metrics = [captured(*make_inputs()) for _ in range(6)]
    assert [record.getMessage() for record in caplog.records] == [
        "the step cannot be captured in a CUDA graph (operation not permitted when stream is capturing); "
        "it goes on kernel by kernel"
    ]
    assert all(torch.isfinite(each["loss/generator"]) for each in metrics)


def test_optimizers_count_on_the_device(make_step):
    step = make_step()
    CapturedStep(step, cuda_graph)
    assert step.generator_optimizer.param_groups[0]["capturable"]
    assert step.discriminator_optimizer.param_groups[0]["capturable"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("network", ["dcgan", "conv", "mlp"])
def test_on_a_gpu_graphs_give_what_the_step_gives(make_step, make_inputs, network):
    def on_gpu(captured):
        step = make_step(network)
        for player in (step.generator, step.discriminator):
            player.cuda()
        run = CapturedStep(step, cuda_graph) if captured else step
        losses = []
        for number in range(20):
            torch.cuda.manual_seed(number)
            inputs = [each.cuda() for each in make_inputs(seed=number)]
            torch.cuda.set_sync_debug_mode("error" if number > 4 else "default")  # the first ones choose kernels
            losses.append(run(*inputs, with_penalty=number % 2 == 0))
            torch.cuda.set_sync_debug_mode("default")
        assert not captured or len(run._graphs) == 2
        return torch.tensor([each["loss/generator"].item() for each in losses])

    assert torch.allclose(on_gpu(captured=True), on_gpu(captured=False), rtol=1e-3)


def test_counts_of_a_run_that_began_elsewhere_go_to_the_weights(make_step, make_inputs):
    step = make_step()
    step(*make_inputs())
    weight = step.generator.embedding.weight
    step.generator_optimizer.state[weight]["step"] = 1  # a plain number, as some optimizers of before had it
    CapturedStep(step, cuda_graph)
    count = step.generator_optimizer.state[weight]["step"]
    assert (count.item(), count.dtype, count.device) == (1.0, torch.float32, weight.device)
