"""Writes a generator as a folder for the Hugging Face hub: weights, configuration, samples and a model card.

The weights are an exported generator (`safetensors_file`), the only file that is read back. The others are for people
and for the hub's pages. The folder is uploaded as it is: ``hf upload owner/name FOLDER``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.app.formatting import markdown_table, short_number
from fmcgan.app.safe_instantiate import is_foreign
from fmcgan.app.untrusted_data import walk
from fmcgan.data.garments import info_of
from fmcgan.figure.files import write_png
from fmcgan.figure.grid import class_grid
from fmcgan.inference.generator import LabelledGenerator
from fmcgan.inference.hub import WEIGHTS
from fmcgan.inference.safetensors_file import Metadata, write_generator
from fmcgan.metric.base import quantity_of
from fmcgan.metric.results import BETTER

CARD, CONFIG, SAMPLES = "README.md", "config.json", "samples.png"

_LIBRARY = "fmcgan"
_MARK = f"library_name: {_LIBRARY}"  # in the metadata of every card written here
_TASK = "unconditional-image-generation"  # the hub has no task for images by class
_TAGS = ["gan", "class-conditional", "image-generation"]
_MOST_ROWS, _COLUMNS = 26, 10  # of the samples


class _Score(NamedTuple):
    name: str  # with its protocol, such as ``fd_classifier_10k_test``
    title: str
    better: str
    value: float
    real: float | None  # of real images


def check_folder(folder: Path) -> None:
    """Refuses an output whose files would be lost. An earlier export, also in a clone of its repository, is replaced.

    Raises:
        UserError: it is a file, or holds files of these names that were not written here.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output={folder} is a file, but format=hub writes a folder; choose another name")
    present = [name for name in (CARD, CONFIG, WEIGHTS, SAMPLES) if (folder / name).exists()]
    card = folder / CARD
    if present and not (card.is_file() and _MARK in card.read_text(encoding="utf-8", errors="replace")):
        how = "choose a new folder, or one that an earlier format=hub wrote"
        raise UserError(f"output={folder} holds {', '.join(present)} of something else; {how}")


def write_hub_folder(
    folder: Path, generator: LabelledGenerator, dtype: str = "float32", licence: str | None = None
) -> None:
    """Writes the folder, each file atomically and the card last; other files in it stay. Needs the extra `hub`.

    Args:
        folder: one that `check_folder` accepts; it is created.
        generator: on the CPU.
        dtype: of the weights, as for `write_generator`.
        licence: of the weights, a name of the hub such as ``cc-by-4.0``; ``None``: that of the generator's metadata.

    Raises:
        UserError: a weight is out of range of ``dtype``, or a file cannot be written.
    """
    about = generator.about | ({} if licence is None else {"licence": licence})
    write_generator(folder / WEIGHTS, generator.network.state_dict(), about, dtype)
    run_dir.write_json(folder / CONFIG, {"library_name": _LIBRARY, **about})
    labels = list(generator.info.labels)[:_MOST_ROWS]
    images = generator.sample(labels, _COLUMNS).images
    rows = images.reshape(len(labels), _COLUMNS, *images.shape[1:])
    write_png(class_grid(rows, [generator.info.class_names[label] for label in labels]), folder / SAMPLES)
    name = re.sub(r"[^\w.-]+", "-", folder.absolute().name, flags=re.ASCII).strip("-.") or "generator"
    run_dir.write_atomically(folder / CARD, _card(name, about))


def _card(name: str, about: Metadata) -> str:
    """Returns the model card: metadata in YAML, then the facts of the generator's metadata."""
    info, scores, packages = info_of(about["config"]), _scores(about), _foreign_packages(about)
    size = f"{info.size} x {info.size} pixels, {'grey' if info.channels == 1 else 'colour'}"
    cut = f"; the first {_MOST_ROWS} classes" if info.num_classes > _MOST_ROWS else ""
    trust = f", trust={packages}" if packages else ""
    needs = f"The network is of the package {', '.join(packages)}, which must be installed.\n" if packages else ""
    parts = (
        f"---\n{_metadata(name, about, scores)}\n---\n",
        f"# {markdown(name)}\n",
        f"A class-conditional generator of images like those of the data set {markdown_code(info.name)}: {size}, "
        f"{info.num_classes} classes. Trained with fmcgan.\n",
        f"![Samples]({SAMPLES})\n",
        f"*Each row is a class, each column one latent vector (seed 0{cut}).*\n",
        "## Use\n",
        needs,
        "```python\nfrom fmcgan import load_generator\n",
        f'generator = load_generator("hf://OWNER/{name}"{trust})  # or the path of this folder',
        "images, labels = generator.sample(n_per_class=16, seed=0)  # uint8 and int64, class by class\n```\n",
        f"Classes, by label: {', '.join(map(markdown, info.class_names))}.\n",
        "## Training\n",
        markdown_table(["fact", "value"], [[key, markdown_code(value)] for key, value in _facts(about).items()]),
        "## Scores\n",
        _score_table(scores) if scores else "No score of these weights is recorded.\n",
    )
    return "\n".join(part for part in parts if part)


def _metadata(name: str, about: Metadata, scores: list[_Score]) -> str:
    """Returns the metadata of the card as YAML, with the scores as the hub's ``model-index``."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = info_of(about["config"]).name
    results = [
        EvalResult(
            task_type=_TASK,
            dataset_type=dataset,
            dataset_name=dataset,
            metric_type=score.name,
            metric_name=score.title,
            metric_value=score.value,
            metric_args=_known({"better": score.better, "real_images": score.real}) or None,
        )
        for score in scores
    ]
    data = ModelCardData(
        license=str(licence).lower() if (licence := about.get("licence")) else None,
        library_name=_LIBRARY,
        pipeline_tag=_TASK,
        tags=_TAGS,
        model_name=name,
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _scores(about: Metadata) -> list[_Score]:
    """Returns the scores of these weights; of a name in several files, that of the last (the evaluation)."""
    found = {}
    for scores in about.get("scores", {}).values():
        for name, each in scores.items():
            quantity, _ = quantity_of(name) or (None, "")
            title, better = (quantity.title, BETTER[quantity.better]) if quantity else (name, "")
            if each["value"] is not None:
                found[name] = _Score(name, title, better, each["value"], each["real"])
    return list(found.values())


def _score_table(scores: list[_Score]) -> str:
    rows = [
        [markdown_code(each.name), markdown(each.title), each.better, short_number(each.value), short_number(each.real)]
        for each in scores
    ]
    table = markdown_table(["score", "what", "better", "samples", "real images"], rows, right=(3, 4))
    return (
        f"{table}\nThe name of a score holds its protocol: feature network, number of samples, split of the real "
        "images. The last column is the same score of real images in the place of the samples.\n"
    )


def _facts(about: Metadata) -> dict[str, str]:
    """Returns what is known of the training."""
    environment, config = about.get("environment") or {}, about["config"]
    versions = (environment.get("packages") or {}).items()
    facts = {
        "images seen": f"{about['images_seen']:,}",
        "weights": {"ema": "moving average", "raw": "last trained"}[about["weights"]],
        "command": about.get("command"),
        "seed": about.get("seed"),
        "generator": about["generator"].get("_target_"),
        **{part: (config.get(part) or {}).get("_target_") for part in ("loss", "penalty")},
        **{name: environment.get(name) for name in ("hardware", "precision", "date")},
        "versions": ", ".join(f"{name} {version}" for name, version in versions if version),
        "commit": (environment.get("git") or {}).get("commit"),
        **{name: value for name, value in (about.get("data") or {}).items() if not isinstance(value, Mapping)},
    }
    return {name: str(value) for name, value in _known(facts).items()}


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _foreign_packages(about: Metadata) -> list[str]:
    """Returns the packages outside fmcgan whose classes build the generator, sorted."""
    nodes = [node for node in walk(about["generator"]) if isinstance(node, Mapping)]
    packages = {str(node.get("_target_")).partition(".")[0] for node in nodes}
    return sorted(package for package in packages - {"None"} if is_foreign(package))
