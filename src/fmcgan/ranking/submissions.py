"""Submissions: the samples of several teams in one folder."""

from pathlib import Path
from typing import NamedTuple

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.metric.image_set import ImageSet, class_names
from fmcgan.metric.samples_file import read_samples

FEWEST = 1000  # samples of a submission; fewer only where ``n`` is given


class Submission(NamedTuple):
    """Samples of a team, which are not read yet."""

    name: str  # of the team
    path: Path  # an ``.npz``, or a folder of PNGs with a sub-folder per class


def find_submissions(folder: Path) -> list[Submission]:
    """Lists everything in a folder, sorted by name, apart from names that start with a dot.

    The name of a team is that of its file without suffix, or with it if another team has the same name.

    Raises:
        UserError: the folder is missing or empty, or is the submission of one team.
    """
    if not folder.is_dir():
        raise UserError(f"samples={folder} is not a folder; give one with an .npz or a folder of PNGs for each team")
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        raise UserError(f"samples={folder} is empty; it must hold an .npz or a folder of PNGs for each team")
    if all(path.is_dir() and not any(map(Path.is_dir, path.iterdir())) for path in paths):
        raise UserError(f"samples={folder} holds the classes of one team; give the folder above it")
    stems = [path.name if path.is_dir() else path.stem for path in paths]
    names = [path.name if stems.count(stem) > 1 else stem for path, stem in zip(paths, stems, strict=True)]
    return [Submission(printable(name), path) for name, path in zip(names, paths, strict=True)]


def read_submission(submission: Submission, reference: ImageSet) -> ImageSet:
    """Reads the samples, with the device and the bootstrap resamples of the reference.

    Raises:
        UserError: they cannot be read, or lack a class of the reference.
    """
    try:
        images, labels = read_samples(submission.path, reference.info)
    except UserError as error:
        raise UserError(str(error).removeprefix(f"samples={submission.path}: ")) from error
    samples = ImageSet(images, labels, reference.info, reference.device, None, reference.bootstrap_samples)
    missing = sorted(set(reference.labels.tolist()) - set(labels.tolist()))
    if missing:
        raise UserError(f"no images of {printable(class_names(reference.info, missing))}; each class is needed")
    return samples


def available_samples(submission: Submission, reference: ImageSet, n: int | None) -> int:
    """Reads a submission; returns how many samples it has in the class proportions of the reference.

    Raises:
        UserError: it cannot be read, or has fewer than ``n`` (``None``: `FEWEST`) samples.
    """
    available = read_submission(submission, reference).available(reference.shares)
    if available < (n or FEWEST):
        remedy = "" if n else f" (n={available} takes it)"
        proportions = "in the class proportions of the real images"
        raise UserError(f"{available:,} samples {proportions}, at least {n or FEWEST:,} are needed{remedy}")
    return available
