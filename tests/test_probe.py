"""``python -m fmcgan.probe`` from the command line to its page."""

import json
import re

import numpy as np

from fmcgan.data.synthetic import SyntheticData

MODEL = '''
import numpy as np


def bright():
    """Reads how bright an image is."""
    def outputs(images):
        assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1 and images.shape[1:] == (28, 28)
        level = images.mean(axis=(1, 2))
        return -((level[:, None] - np.linspace(0.1, 0.5, 10)) ** 2) * 100

    return outputs
'''


def test_the_command_writes_a_page_beside_the_samples(command, tmp_path):
    splits = SyntheticData(400, 10, 5, batch_size=10, seed=0).load()
    np.savez(tmp_path / "mine.npz", images=splits.train_images[:, 0].numpy(), labels=splits.train_labels.numpy())
    (tmp_path / "my_models.py").write_text(MODEL, encoding="utf-8")
    options = ("data=synthetic", "samples=mine.npz", "n=400", "input.range=[0,1]", "input.layout=no_channels")
    path = {"PYTHONPATH": str(tmp_path)}
    done = command("probe", "model=my_models:bright", *options, env=path)
    folder = tmp_path / "mine_probe_my_models_bright"
    record = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
    for number, finding in enumerate(record["findings"], 1):
        assert f"{number:2}. {finding['statement']}" in done.stdout
    assert set(record["values"]) == {"accuracy", "attributes"}
    assert set(record["skipped"]) == {"directions", "same_latent", "flips"}
    assert record["values"]["attributes"]["brightness"]["real"] > 0.05
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    wrong = command("probe", "model=my_models:bright", *options[:-2], env=path, code=1).stderr
    assert "model=my_models:bright fails on images" in wrong
    assert len(re.findall("^error: ", wrong, re.MULTILINE)) == 1
