import json

import pytest

from study.arms import SCORES

RECORD = {
    "date": "2026-01-02T03:04:05+00:00",
    "command": "python -m study speed",
    "git": {"commit": "0123456789abcdef", "changed": False},
    "hardware": "CPU Example, 2 threads",
    "instructions": {"torch": "AVX512", "processor": ["avx512_bf16"]},
    "data": "Fashion-MNIST",
    "python": "3.12.1",
    "packages": {"torch": "2.9", "lightning": "2.6.6", "fmcgan": "0.1.0"},
}


@pytest.fixture
def record():
    return dict(RECORD)


@pytest.fixture
def write_run(tmp_path):
    """Writes the folder of a run of an arm below ``tmp_path / "runs"``: finished with these scores, or begun only."""

    def write(arm, seed, images_seen=600, **scores):
        folder = tmp_path / "runs" / arm / f"seed_{seed}"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"seed: {seed}\n")
        if not scores:
            return
        better = {"density": "real", "FD": "lower", "FD by class": "lower"}
        floors = {"FD": 0.025, "density": 1.0}
        entries = {
            SCORES[name]: {"value": value, "floor": floors.get(name, 0.9), "better": better.get(name, "higher"), "n": 9}
            for name, value in scores.items()
        }
        result = {"status": "finished", "seed": seed, "images_seen": images_seen, "training_seconds": 60.0}
        result |= {"images_per_second": images_seen / 60, "parameters": {"generator": 1234567, "discriminator": 89}}
        (folder / "result.json").write_text(json.dumps(result | {"scores": entries, "final": {}}))

    return write
