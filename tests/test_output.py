"""Results are written when nobody reads the messages, in every locale; a failing part costs itself alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

FEW = "experiment=smoke trainer.limit_train_batches=2 trainer.max_epochs=1 metric=[]"
SAMPLES = "run=run data=synthetic n=100 bootstrap_samples=0"
LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
BROKEN = """
from fmcgan.analysis import bias

def broken(self, subject):
    raise RuntimeError("no cache in /home/日本 <b>")

bias.Bias.analyse = broken
from fmcgan.analyze import main

main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder whose name no ASCII holds, and in it a run that was trained unseen."""
    folder = tmp_path_factory.mktemp("Läufe 日本")
    ended = python(folder, f"-m fmcgan.train {FEW} 'hydra.run.dir=run'", ">&- 2>&-")
    assert ended.returncode == 0
    (folder / "broken.py").write_text(BROKEN, encoding="utf-8")
    return folder


def python(folder, line, redirection):
    """Runs Python in a shell, in a locale without letters beyond ASCII."""
    paths = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    environment = os.environ | LOCALE | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths}
    line = f"set -o pipefail; '{sys.executable}' {line} {redirection}"
    return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, timeout=300)


def test_a_run_that_nobody_watched_is_whole(place):
    assert json.loads((place / "run" / "result.json").read_text(encoding="utf-8"))["status"] == "finished"
    assert "done: 64 images" in (place / "run" / "train.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "redirection", "written"),
    [
        ("-m fmcgan.generate run=run n_per_class=1 'output=\"Bilder-日本.npz\"'", "2>&1 | head -1", "Bilder-日本.npz"),
        ("-m fmcgan.compare runs=run 'output=\"ü\"'", ">/dev/full 2>/dev/full", "ü/comparison.html"),
        (
            f"-m fmcgan.evaluate {SAMPLES} metric=[sliced_wasserstein] 'output=\"é\"'",
            ">/dev/full 2>&-",
            "é/evaluation.md",
        ),
    ],
    ids=lambda text: text.split()[1].removeprefix("fmcgan.") if "fmcgan" in text else "",
)
def test_the_result_is_written_and_the_exit_code_is_0(place, line, redirection, written):
    ended = python(place, line, redirection)
    assert ended.returncode == 0, ended.stderr
    assert (place / written).stat().st_size > 0
    assert ended.stderr == b""


def test_a_part_that_fails_costs_itself_alone(place):
    ended = python(place, f"broken.py {SAMPLES} analysis=[spectrum,bias] output=analysis", "| head -1")
    assert ended.returncode == 1
    assert ended.stdout.endswith(b".\n")  # the verdict
    assert b"RuntimeError: no cache in /home/\\u65e5\\u672c <b>" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(b"error: some parts failed")
    assert b"Exception ignored" not in ended.stderr
    found = json.loads((place / "analysis" / "findings.json").read_text(encoding="utf-8"))
    assert found["failed"] == {"bias": "RuntimeError: no cache in /home/日本 <b>"}
    assert {each["section"] for each in found["findings"]} == {"spectrum"}
    page = (place / "analysis" / "report.html").read_text(encoding="utf-8")
    assert "<strong>bias.</strong> RuntimeError: no cache in /home/日本 &lt;b&gt;" in page
    assert list((place / "analysis").glob("spectrum_*.png"))


def test_links_out_of_a_run_folder_are_refused(place):
    outside = place / "outside"
    outside.mkdir()
    shutil.copytree(place / "run", place / "foreign")
    shutil.rmtree(place / "foreign" / ".hydra")
    for name in (".hydra", "comparison"):
        (place / "foreign" / name).symlink_to(outside)
    for line in (
        "train ckpt_path=run/checkpoints/last.ckpt hydra.run.dir=foreign trainer.max_epochs=2",
        "compare runs=foreign",
    ):
        ended = python(place, f"-m fmcgan.{line}", "")
        assert ended.returncode == 1
        assert b" link " in ended.stderr
    assert list(outside.iterdir()) == []
