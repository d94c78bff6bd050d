"""Several scores measured together, as plain data and as a table for people."""

from collections.abc import Mapping
from typing import Any

from fmcgan.metric.score import LabelledImages, Score

Results = dict[str, dict[str, Any]]
"""By the score's name, which tells the protocol: value, floor (the same measured on real images), better, n."""


def measure_all(scores: Mapping[str, Score], samples: LabelledImages) -> Results:
    """Measures every score on the same samples, each beside its real-data floor.

    Args:
        scores: prepared for as many samples as are given.
        samples: images and the classes they were asked to show.
    """
    results: Results = {}
    for score in scores.values():
        floors = score.floors()
        for name, (value, better) in score.measure(samples).items():
            results[name] = {"value": value, "floor": floors.get(name), "better": better, "n": len(samples.labels)}
    return results


def in_words(name: str, result: dict[str, Any]) -> str:
    """Such as ``fd_classifier_10k_test 1.234 (real data 0.02464)``."""
    floor = "" if result["floor"] is None else f" (real data {result['floor']:.4g})"
    return f"{name} {result['value']:.4g}{floor}"


def as_markdown(results: Results) -> str:
    """A table with one row a score."""
    lines = ["| score | value | real data | better |", "|---|---:|---:|---|"]
    for name, result in results.items():
        floor = "-" if result["floor"] is None else f"{result['floor']:.4g}"
        lines.append(f"| {name} | {result['value']:.4g} | {floor} | {result['better']} |")
    return "\n".join(lines) + "\n"
