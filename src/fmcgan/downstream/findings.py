"""Findings in words."""

from collections.abc import Sequence

from fmcgan.data.info import DatasetInfo
from fmcgan.downstream.arms import NOTHING, REPEATED
from fmcgan.downstream.crossed import Estimate
from fmcgan.downstream.protocol import RealSize
from fmcgan.downstream.results import Comparison, Results


def findings(results: Results, info: DatasetInfo) -> list[str]:
    """States where generated images help, hurt, and where nothing can be said; numbers with 95 % intervals."""
    beside = [
        each
        for each in results.against(NOTHING)
        if each.arm.ratio > 0 and each.arm.keeps_real and not each.arm.augmented
    ]
    stated = [_overall(beside)] if beside else []
    for size in results.sizes:
        stated.append(_of_size(results, size))
        if beaten := [each for each in results.comparisons if each.size == size and each.against != NOTHING]:
            stated.append(_against_cheaper(size, beaten))
    if beside:
        stated.append(_calibration(beside))
        stated += _classes(beside, info)
    return stated


def points(estimate: Estimate) -> str:
    """Formats a difference of shares in percentage points: ``+2.1 points [1.0, 3.2]``."""
    mean, low, high = (100 * each for each in estimate)
    return f"{mean:+.1f} points [{low:.1f}, {high:.1f}]"


def _overall(beside: Sequence[Comparison]) -> str:
    helps, unknown, hurts = (sum(each.accuracy.sign == sign for each in beside) for sign in (1, 0, -1))
    return (
        f"Generated images beside real ones help the classifier in {helps} of {len(beside)} cases (of n and m) "
        f"and hurt it in {hurts}; of {unknown} nothing can be said."
    )


def _of_size(results: Results, size: RealSize) -> str:
    accuracy = results.arm(size, NOTHING).accuracy
    start = f"{size.title}: accuracy {100 * accuracy.mean:.1f} % on real test images with nothing added"
    compared = results.against(NOTHING, size)
    return f"{start}. {_grouped(compared, 'Helps', 'Hurts')}" if compared else f"{start}."


def _against_cheaper(size: RealSize, compared: Sequence[Comparison]) -> str:
    reference = compared[0].against
    start = f"{size.title}, compared with {reference.title}"
    whole = f"{start}. {_grouped(compared, 'Better', 'Worse')}"
    if reference == REPEATED and (rare := compared[0].rare) is not None:
        whole += f" On the rare classes alone: {points(rare)}."
    return whole


def _grouped(compared: Sequence[Comparison], better: str, worse: str) -> str:
    """Lists the arms by verdict: ``Helps: m = n (+2.1 points [1.0, 3.2]). Nothing can be said of ...``."""
    by_sign = {
        sign: [f"{each.arm.title} ({points(each.accuracy)})" for each in compared if each.accuracy.sign == sign]
        for sign in (1, -1, 0)
    }
    sentences = [f"{word}: {', '.join(by_sign[sign])}." for sign, word in ((1, better), (-1, worse)) if by_sign[sign]]
    if by_sign[0]:
        sentences.append(f"Nothing can be said of {', '.join(by_sign[0])}.")
    return " ".join(sentences)


def _calibration(beside: Sequence[Comparison]) -> str:
    falls, unknown, rises = (sum(each.calibration_error.sign == sign for each in beside) for sign in (-1, 0, 1))
    largest = max(beside, key=lambda each: abs(each.calibration_error.mean))
    return (
        f"Calibration: the expected calibration error falls in {falls} of these {len(beside)} cases, rises in {rises}, "
        f"and of {unknown} nothing can be said. The largest change is {points(largest.calibration_error)}, "
        f"at {largest.size.title}, {largest.arm.title}."
    )


def _classes(beside: Sequence[Comparison], info: DatasetInfo) -> list[str]:
    """Names the class that gains most and the one that loses most, of those whose interval leaves out 0."""
    known = [
        (estimate, info.class_names[label], each)
        for each in beside
        for label, estimate in enumerate(each.by_class)
        if estimate is not None and estimate.sign
    ]
    stated = []
    for sign, word in ((1, "gain"), (-1, "loss")):
        if some := [each for each in known if each[0].sign == sign]:
            estimate, name, where = max(some, key=lambda each: abs(each[0].mean))
            stated.append(
                f"Largest {word} of a class: {name}, {points(estimate)}, at {where.size.title}, {where.arm.title} "
                "(the most extreme of many, so partly by chance)."
            )
    return stated


def caveat(saw_only: Sequence[bool | None], sizes: Sequence[RealSize], leaked: int = 0) -> str:
    """Says for which sets the generator saw other real images than the classifier has; empty for none.

    Args:
        saw_only: whether it saw only the real images of each set; ``None``: unknown.
        sizes: the sets.
        leaked: samples that are test images.
    """
    more = [size.title for size, only in zip(sizes, saw_only, strict=True) if only is False]
    unknown = [size.title for size, only in zip(sizes, saw_only, strict=True) if only is None]
    said = []
    if more:
        said.append(
            f"The generator was trained on more real images than the classifier has at {'; '.join(more)}. There, a "
            "gain is what those images bring, passed on by the generator; it is no gain without them."
        )
    if unknown:
        said.append(
            "It is not known which real images the generator was trained on. If these are more than the n of a row, "
            "a gain there may be what they bring."
        )
    if said:
        said.append("from=scratch trains a generator on each set of n real images alone.")
    if leaked:
        said.insert(0, f"{leaked:,} of the samples are test images, bit for bit: the values below are too good.")
    return " ".join(said)
