import json

import numpy as np
import pytest
import yaml

from fmcgan.figure.grid import class_grid
from fmcgan.figure.png import write_png


@pytest.fixture
def write_run(tmp_path):
    """Writes a run folder with hand-made numbers below ``tmp_path / "runs"``."""

    def write(
        name,
        overrides,
        evaluations=(),
        final=None,
        seed=0,
        seconds=60.0,
        rows=(),
        hardware="cpu",
        sample=None,
        scores=None,
    ):
        """``evaluations``: (images seen, seconds, score fd); ``final``: (images seen, score fd), None: not finished.

        ``scores``: entries of the result in place of fd.
        """
        folder = tmp_path / "runs" / name
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
        (folder / ".hydra" / "config.yaml").write_text("seed: 99\n")
        (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed}))
        lines = [
            {"images_seen": n, "epoch": n / 1000, "seconds": s, "loss/generator": n / 100, "loss/discriminator": 0.5}
            | {"gradient_norm/generator": 2.0, "gradient_norm/discriminator": 4.0, "images_per_second": n / s}
            for n, s, _ in evaluations
        ]
        lines += [{"images_seen": n, "epoch": n / 1000, "seconds": s, "score/fd": fd} for n, s, fd in evaluations]
        lines = sorted([*lines, *rows], key=lambda row: row["images_seen"])
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if final:
            (folder / "result.json").write_text(json.dumps(result(seed, *final, seconds, hardware, scores)))
        if sample is not None:
            images = np.full((2, 3, 28, 28), sample, dtype=np.uint8)
            write_png(class_grid(images, ["bag", "boot"]), folder / "samples" / "epoch_002.png")
            write_png(class_grid(255 - images, ["bag", "boot"]), folder / "samples" / "epoch_001.png")
        return folder

    return write


def result(seed, images_seen, fd, seconds, hardware, scores=None):
    return {
        "status": "finished",
        "seed": seed,
        "images_seen": images_seen,
        "epochs": images_seen / 1000,
        "training_seconds": seconds,
        "images_per_second": images_seen / seconds,
        "hardware": hardware,
        "parameters": {"generator": 10, "discriminator": 20},
        "scores": {"fd": {"value": fd, "floor": 1.5, "better": "lower", "n": 10000}} if scores is None else scores,
        "final": {
            "loss/generator": 1.0 + seed,
            "loss/discriminator": 0.5,
            "gradient_norm/generator": 2.0,
            "gradient_norm/discriminator": 4.0,
        },
        "command": "python -m fmcgan.train -m loss=a,b seed=0,1",
    }
