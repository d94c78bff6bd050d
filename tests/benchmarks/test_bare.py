import torch

from benchmarks.bare import BareLoop
from fmcgan.training.cuda_graphs import CapturedStep


def test_its_step_is_that_of_the_trainer(tiny):
    setting = tiny("n_critic=2", "training.generator_clip=1", "augment=diff_augment", "regularizer=consistency")
    gan = setting.gan()
    loop = BareLoop(gan, setting.images, setting.batch_size, "bf16-mixed")
    step = loop.adversarial_step
    assert not isinstance(step, CapturedStep)  # no CUDA graphs on a CPU
    assert (step.generator_clip, step.discriminator_clip) == (1, None)
    assert (step.augmentation, step.regularizer) == (gan.augmentation, gan.regularizer)
    kinds = [("loss/generator" in metrics, "loss/penalty" in metrics) for metrics in (loop.step() for _ in range(5))]
    assert kinds == [(False, True), (True, False), (False, False), (True, False), (False, True)]


def test_its_precision_leaves_nothing_behind(tiny):
    setting = tiny()
    before = torch.get_float32_matmul_precision()
    BareLoop(setting.gan(), setting.images, setting.batch_size, "bf16-mixed").run(1)
    assert torch.get_float32_matmul_precision() == before
    assert not torch.is_autocast_enabled("cpu")
