"""``python -m benchmarks.structure`` (``make count``): counts lines, ``Any``, and the files that a call touches.

Counts the package that Python imports: ``PYTHONPATH=../other/src`` counts another checkout.
"""

import ast
import io
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

import fmcgan

PACKAGE = Path(fmcgan.__file__).parent
WARM_UP = 8  # batches that are not recorded
RECORDED = 24  # more than the 20 batches between two rows of metrics, and several intervals of a lazy penalty


class FilesPerBatch(Callback):
    """Callback that records the package's files that each batch touches, callbacks included."""

    def __init__(self) -> None:
        self.batches: list[set[str]] = []
        self._recorder = CallRecorder()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ends the recording of a batch and starts the next. Must be the last callback."""
        sys.setprofile(None)
        if batch_idx > WARM_UP:
            self.batches.append(self._recorder.files())
        self._recorder = CallRecorder()
        if WARM_UP <= batch_idx < WARM_UP + RECORDED:
            sys.setprofile(self._recorder)


class CallRecorder:
    """Profile function that records the files of all calls."""

    def __init__(self) -> None:
        self._called: set[str] = set()

    def __call__(self, frame: Any, event: str, argument: object) -> None:
        """Records the file of a call."""
        if event == "call":
            self._called.add(frame.f_code.co_filename)

    def files(self) -> set[str]:
        """Returns the recorded files of the package, as relative paths."""
        return {str(path.relative_to(PACKAGE)) for each in self._called if PACKAGE in (path := Path(each)).parents}


def count_lines(package: Path) -> int:
    """Counts the lines of all Python files, blank lines and comments included."""
    return sum(len(text.splitlines()) for text in _texts(package))


def count_any(package: Path) -> int:
    """Counts `Any` in annotations of parameters, results and variables, also in quoted ones."""
    annotations = (each for text in _texts(package) for each in _annotations(ast.parse(text)))
    nodes = (node for annotation in annotations for node in ast.walk(_unquoted(annotation)))
    return sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)


def count_type_ignores(package: Path) -> int:
    """Counts comments with ``type: ignore``."""
    tokens = (token for text in _texts(package) for token in tokenize.generate_tokens(io.StringIO(text).readline))
    return sum(token.type == tokenize.COMMENT and "type: ignore" in token.string for token in tokens)


def files_of_batches() -> list[set[str]]:
    """Returns the files that each recorded batch of the default recipe touches, sorted by their number.

    Uses synthetic images and narrow networks, which does not change the files.
    """
    from fmcgan.train import build

    with tempfile.TemporaryDirectory() as folder:
        config = _default_recipe(Path(folder))
        trainer, gan, data = build(config)
        recorder = FilesPerBatch()
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if hasattr(callback, "configure"):
                callback.configure(OmegaConf.to_container(config, resolve=True))
        trainer.callbacks.append(recorder)  # type: ignore[attr-defined]
        trainer.fit(gan, data)
    return sorted(recorder.batches, key=len)


def files_of_frechet_distance() -> set[str]:
    """Returns the files that one Fréchet distance with its interval touches, from images to value."""
    from fmcgan.data.garments import GARMENTS
    from fmcgan.metric.image_set import ImageSet, RealImages

    with tempfile.TemporaryDirectory() as folder:
        metric = instantiate(_default_recipe(Path(folder)).metric.frechet)
    images = torch.randint(256, (300, *GARMENTS.shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(100) % GARMENTS.num_classes
    train, test, samples = (ImageSet(some, labels, GARMENTS, bootstrap_samples=10) for some in images.split(100))
    return _files_of(lambda: metric.measure(samples, RealImages(train, test)))


def _files_of(call: Callable[[], object]) -> set[str]:
    recorder = CallRecorder()
    sys.setprofile(recorder)
    try:
        call()
    finally:
        sys.setprofile(None)
    return recorder.files()


def _default_recipe(folder: Path) -> DictConfig:
    configs = next(each for each in (PACKAGE / "configs", PACKAGE.parents[1] / "configs") if each.is_dir())
    overrides = [
        *("data=synthetic", "data.n_train=1000", "data.n_test=100", "data.batch_size=8", "network.width=8"),
        *("metric/feature=[classifier]", "trainer.accelerator=cpu", "trainer.precision=32-true"),
        "trainer.max_epochs=1",
        *(f"trainer.default_root_dir={folder}", f"++logger.tensorboard.save_dir={folder}"),
        *("callback.evaluation.n=100", f"trainer.limit_train_batches={WARM_UP + RECORDED + 1}"),
    ]
    with initialize_config_dir(str(configs), version_base="1.3"):
        config = compose("train", overrides)
    with open_dict(config):
        config.pop("hydra", None)
    config.dataset = instantiate(config.data).info.as_config()
    return config


def _texts(package: Path) -> Iterator[str]:
    return (file.read_text(encoding="utf-8") for file in sorted(package.rglob("*.py")))


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns


def _unquoted(annotation: ast.expr) -> ast.expr:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def main() -> None:
    """Prints the counts."""
    batches, distance = files_of_batches(), files_of_frechet_distance()
    usual, largest = batches[len(batches) // 2], batches[-1]
    for count, name in (
        (count_lines(PACKAGE), "lines of Python"),
        (count_any(PACKAGE), "`Any` in annotations"),
        (count_type_ignores(PACKAGE), "`type: ignore`"),
        (len(usual), f"files that a training batch touches (median): {', '.join(sorted(usual))}"),
        (len(largest), f"files at most, in a batch that writes metrics: also {', '.join(sorted(largest - usual))}"),
        (len(distance), f"files that a Fréchet distance touches: {', '.join(sorted(distance))}"),
    ):
        print(f"{count:6,}  {name}")  # noqa: T201


if __name__ == "__main__":
    main()
