"""``python -m fmcgan.analyze``: compares samples with real images: figures, tables, findings and one page."""

import logging
import os
import shutil
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import whole_number
from fmcgan.app.errors import Failures, UserError
from fmcgan.app.extras import MissingExtraError, require_extra
from fmcgan.app.hydra_app import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from fmcgan.analysis.base import Analysis, Subject
    from fmcgan.analysis.section import Section
    from fmcgan.inference.sample_source import Inputs

log = logging.getLogger(__name__)


def analyze(config: DictConfig) -> None:
    """Analyses samples part by part, prints the findings and writes ``report.html``, ``findings.json`` and figures."""
    from fmcgan.analysis.base import NotApplicable, quiz, sample_grid
    from fmcgan.analysis.findings import adjust_effects, select_findings
    from fmcgan.inference.sample_source import SPLITS
    from fmcgan.report.analysis_page import Report, write_analysis
    from fmcgan.report.home import refresh_home

    parts, missing = _split_installed(_checked_parts(config))
    start, failures = time.perf_counter(), Failures(NotApplicable)
    subject, provenance, folder = _subject(config)
    run_dir.refuse_links(folder, run_dir.TENSORBOARD)
    sections, skipped, seconds = _sections(parts, subject, failures)
    effects = adjust_effects([effect for section in sections.values() for effect in section.effects])
    findings = select_findings(effects, config.findings)
    provenance |= {f"part left out: {name}": reason for name, reason in (skipped | missing).items()}
    by_part = ", ".join(f"{name} {taken:.1f}" for name, taken in seconds.items())
    provenance["seconds"] = f"{time.perf_counter() - start:.0f} ({by_part})"
    n = len(subject.samples)
    about = f"{n:,} samples, compared with {len(subject.real.train):,} real training images"
    grid = sample_grid(subject.samples, most_columns=12)
    control = f"real {config.samples} images" if config.samples in SPLITS else ""
    page = Report(
        "Analysis of real images" if control else "Analysis of generated images",
        about,
        sections,
        findings,
        effects,
        grid,
        provenance,
        facts=_facts(provenance),
        quiz=quiz(subject),
        control=control,
        noun_of=subject.info.plural,
    )
    write_analysis(folder, page, failures)
    with failures.catch("tensorboard"):
        _write_tensorboard(folder / run_dir.TENSORBOARD, sections)
    refresh_home(subject.run, folder)
    for alarm in (alarm for section in sections.values() for alarm in section.alarms):
        log.warning("%s: %s (%s)", alarm.name, alarm.statement, alarm.rule)
    none = f"No finding: with {n:,} samples, no difference is significant and larger than that of real test images."
    lines = [f"{number:2}. {finding.statement}" for number, finding in enumerate(findings, 1)]
    print("\n".join([page.sentence, *(lines or [none])]))  # noqa: T201
    log.info("written to %s: report.html, findings.json, figures and tables", os.path.relpath(folder))
    failures.raise_if_any()


def _checked_parts(config: DictConfig) -> dict[str, "Analysis"]:
    """Builds the parts of the analysis after checking all options; reads and downloads nothing."""
    from hydra.utils import instantiate

    from fmcgan.app.config_validation import check_shape, types_checked
    from fmcgan.inference.sample_source import check_classes, check_options, dataset_info

    check_shape(config, ("data",), ("metric", "feature", "analysis"))
    check_options(config, min_n=100)
    whole_number(maximum=10_000, findings=config.findings)
    if not config.analysis:
        raise UserError("analysis=[] selects no part; omit it for all parts, or name some (see --help)")
    with types_checked(config):
        data, parts = instantiate(config.data), instantiate(config.analysis)
    if config.run is None:  # else the data set may be that of the run
        check_classes(config, dataset_info(data))
    return parts


def _split_installed(parts: Mapping[str, "Analysis"]) -> tuple[dict[str, "Analysis"], dict[str, str]]:
    """Returns the parts whose packages are installed, and an error message for each other part."""
    installed, missing = {}, {}
    for name, part in parts.items():
        try:
            require_extra("analysis", name, *part.packages)
            installed[name] = part
        except MissingExtraError as error:
            missing[name] = str(error)
    if not installed:
        require_extra("analysis", "analyze", *(each for part in parts.values() for each in part.packages))
    for reason in missing.values():
        log.warning("left out: %s", reason)
    return installed, missing


def _subject(config: DictConfig) -> tuple["Subject", dict[str, str], "Path"]:
    """Returns the subject of the analysis, its provenance as text, and the results folder."""
    from fmcgan.analysis.base import Subject
    from fmcgan.inference.sample_source import load_inputs

    inputs = load_inputs(config, "analysis", below_run="analysis")
    samples = inputs.samples(inputs.n).balanced(inputs.n, inputs.real.reference.shares)
    network = None if inputs.generator is None else inputs.generator.network
    discriminator = None if inputs.run is None else _discriminator(config)
    subject = Subject(samples, inputs.real, network, inputs.run, inputs.seed, inputs.store, discriminator)
    recipe = {} if (overrides := _overrides(inputs)) is None else {"recipe": " ".join(overrides) or "the default one"}
    return subject, recipe | inputs.provenance_in_words(samples), inputs.folder


def _discriminator(config: DictConfig) -> "nn.Module | None":
    """Loads the discriminator of a run, from the file of its generator; ``None`` if the file does not describe it."""
    from fmcgan.inference.discriminator import load_discriminator

    try:
        return load_discriminator(config.run, config.device, config.trust).network
    except UserError as error:
        log.info("no part uses the discriminator: %s", error)
        return None


def _facts(provenance: Mapping[str, str]) -> dict[str, str]:
    """Selects the provenance at the top of the page; not every source has a recipe and a training length."""
    titles = {"source": "source", "recipe": "recipe", "images seen": "images seen", "samples": "samples (n)"}
    facts = {title: provenance[name] for name, title in titles.items() if provenance.get(name, "None") != "None"}
    if facts.get("images seen", "").isdecimal():
        facts["images seen"] = f"{int(facts['images seen']):,}"
    return facts | {"date": f"{provenance['date'][:16].replace('T', ' ')} UTC"}


def _overrides(inputs: "Inputs") -> list[str] | None:
    """Returns the overrides that the generator was trained with; ``None`` if unknown."""
    from fmcgan.app.run_files import read_overrides

    if inputs.run is not None:
        return read_overrides(inputs.run / run_dir.HYDRA_OVERRIDES)
    about = {} if inputs.generator is None else inputs.generator.about.get("environment") or {}
    return about.get("overrides")


def _sections(
    parts: Mapping[str, "Analysis"], subject: "Subject", failures: Failures
) -> tuple[dict[str, "Section"], dict[str, str], dict[str, float]]:
    """Runs the parts. Returns sections, reasons of skipped parts, and seconds, each by name of the part."""
    from fmcgan.analysis.base import NotApplicable
    from fmcgan.app.progress import progress_bar

    sections, skipped, seconds = {}, {}, {}
    with progress_bar(parts.items(), disable=None, unit="part", leave=False) as bar:
        for name, part in bar:
            bar.set_description_str(name.replace("_", " "))
            start = time.perf_counter()
            try:
                with failures.catch(name):
                    part.fit(subject.real)
                    sections[name] = part.analyse(subject)
            except NotApplicable as reason:
                skipped[name] = str(reason)
                log.info("%s is left out: %s", name, reason)
                continue
            seconds[name] = round(time.perf_counter() - start, 1)
            if bar.disable and name in sections:
                log.info("%s: %.1f s", name, seconds[name])
    if not sections and not failures.failed:
        raise UserError(f"nothing could be analysed: {'; '.join(skipped.values())}")
    return sections, skipped, seconds


def _write_tensorboard(folder: "Path", sections: Mapping[str, "Section"]) -> None:
    """Writes embeddings for TensorBoard's projector and the confusion matrix, replacing earlier ones."""
    from matplotlib.figure import Figure

    from fmcgan.report.projector import write_agreement, write_projector

    shutil.rmtree(folder, ignore_errors=True)
    for section in sections.values():
        for points in section.maps:
            if points.vectors is not None:
                write_projector(points, folder)
        for picture in section.pictures:
            if picture.name == "agreement" and isinstance(picture.content, Figure):
                write_agreement(picture.content, folder)


def main() -> None:
    """Runs the console command."""
    run_command("analyze", analyze)


if __name__ == "__main__":
    main()
