"""What users' own data sets share: facts, a split into training and test images, and checks of both."""

import logging
from pathlib import Path

from torch import Tensor

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.info import LARGEST, SMALLEST, DatasetInfo
from fmcgan.data.stratified import stratified

log = logging.getLogger(__name__)


def split(images: Tensor, labels: Tensor, test_share: float, seed: int) -> ImageSplits:
    """Splits images [N, C, H, W] and labels [N] by `stratified`."""
    train, test = stratified(labels, test_share, seed)
    return ImageSplits(images[train], labels[train], images[test], labels[test])


def describe(
    path: Path, images: Tensor, labels: Tensor, names: tuple[str, ...] | None, size: int | None, flips: bool
) -> DatasetInfo:
    """Returns the facts of images [N, C, H, W] and labels [N] in a file or folder.

    Args:
        path: the file or folder, whose name is that of the data set.
        images: before resizing.
        labels: 0..K - 1.
        names: of the classes; ``None``: numbers.
        size: after resizing; ``None``: that of the images.
        flips: whether a mirrored image is as plausible as the original.

    Raises:
        UserError: the images have a size that no network can generate, and ``size`` is not given.
    """
    height, width = images.shape[2:]
    if size is None and (height != width or height % 4 or not SMALLEST <= height <= LARGEST):
        sizes = f"a multiple of 4 from {SMALLEST} to {LARGEST}"
        raise UserError(f"{path} has images of {height} x {width} pixels; give data.size=..., {sizes}")
    names = names or tuple(map(str, range(int(labels.max()) + 1)))
    name = printable(path.absolute().stem) or "images"
    return DatasetInfo(name, names, channels=images.shape[1], size=size or height, flips=flips)


def check_splits(splits: ImageSplits, info: DatasetInfo, path: Path) -> ImageSplits:
    """Checks that images, labels and classes fit each other, and warns of test images that are training images.

    Raises:
        UserError: they do not fit, or a class has no training images.
    """
    train_images, train_labels, test_images, test_labels = splits
    for name, images, labels in (("training", train_images, train_labels), ("test", test_images, test_labels)):
        if len(images) != len(labels):
            raise UserError(f"{path} holds {len(images)} {name} images, but {len(labels)} labels")
        if int(labels.max()) >= info.num_classes:
            raise UserError(f"{path} has {name} labels up to {int(labels.max())}, but {info.num_classes} class names")
    if train_images.shape[1:] != test_images.shape[1:]:
        shapes = f"{list(train_images.shape[1:])} and {list(test_images.shape[1:])}"
        raise UserError(f"{path}: training and test images differ in shape, {shapes}")
    counts = train_labels.bincount(minlength=info.num_classes)
    if missing := [info.class_names[label] for label in (counts == 0).nonzero().flatten().tolist()]:
        raise UserError(f"{path} has no training images of {', '.join(missing[:10])}; remove or renumber these classes")
    warn_of_faults(splits, info)
    return splits


def warn_of_faults(splits: ImageSplits, info: DatasetInfo) -> None:
    """Warns of test images that are also training images, and of classes without test images."""
    known = {image.tobytes() for image in splits.train_images.numpy()}
    copies = sum(image.tobytes() in known for image in splits.test_images.numpy())
    if copies:
        log.warning(
            "%d of the %d test images are also training images: metrics look better than they are",
            copies,
            len(splits.test_images),
        )
    sizes = splits.test_labels.bincount(minlength=info.num_classes)
    missing = [info.class_names[label] for label in (sizes == 0).nonzero().flatten().tolist()]
    if missing:
        listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        log.warning("no test images of %d classes: %s", len(missing), listed)
