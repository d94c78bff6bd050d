"""A generator as a page: it draws in any browser, from one file, without a network or a server."""

import base64
import json
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from torch import nn

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.inference.html.program import Program, program_of
from fmcgan.report.html import TEMPLATES, finalize, short

_OWN = Path(__file__).parent / "template"
_DTYPES = {"float32": torch.float32, "float16": torch.float16}


def write_page(path: Path, network: nn.Module, about: Mapping[str, Any], dtype: str = "float32") -> None:
    """Writes the page, whole or not at all.

    Args:
        path: the file, whose folder is made.
        network: a generator as `program_of` takes it.
        about: what is known of it, as `fmcgan.inference.safetensors_file` has it.
        dtype: ``float32``, or ``float16``: half the size; images are those of the rounded weights.

    Raises:
        UserError: a page cannot carry the network out, a weight is beyond the range of ``dtype``, or the file cannot be
            written.
    """
    text = page_of(program_of(network), about, dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, text)


def page_of(program: Program, about: Mapping[str, Any], dtype: str = "float32") -> str:
    """The page as text.

    Args:
        program: what the generator computes.
        about: what is known of it.
        dtype: of the weights in the page.
    """
    names = list(program.tensors)
    stored = [program.tensors[name].flatten().to(_DTYPES[dtype]) for name in names]
    broken = [name for name, value in zip(names, stored, strict=True) if not value.isfinite().all()]
    if broken:
        raise UserError(f"weights that are no finite {dtype} numbers: {', '.join(broken)}; nothing was exported")
    firsts = accumulate([len(value) for value in stored], initial=0)
    described = {
        "latent_dim": program.latent_dim,
        "dtype": dtype,
        "output": program.output,
        "steps": program.steps,
        "tensors": {
            name: {"shape": list(program.tensors[name].shape), "first": first}
            for name, first in zip(names, firsts, strict=False)
        },
    }
    weights = base64.b64encode(torch.cat(stored).numpy().astype(f"<f{stored[0].element_size()}").tobytes()).decode()
    environment = Environment(
        loader=FileSystemLoader([_OWN, TEMPLATES]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("generator.html.j2").render(
        program=_in_script(described),
        weights=weights,
        classes=CLASS_NAMES,
        facts=_facts(program, about),
        style=Markup(
            (TEMPLATES / "style.css").read_text(encoding="utf-8") + (_OWN / "page.css").read_text(encoding="utf-8")
        ),
        script=Markup(
            (_OWN / "program.js").read_text(encoding="utf-8") + (_OWN / "page.js").read_text(encoding="utf-8")
        ),
    )


def _in_script(value: Any) -> Markup:
    """JSON that no text in it can end the script by."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def _facts(program: Program, about: Mapping[str, Any]) -> dict[str, str]:
    facts = {"made by": str(about["command"])} if about.get("command") else {}
    facts["images seen in training"] = f"{about['images_seen']:,}"
    facts["numbers in the page"] = f"{sum(value.numel() for value in program.tensors.values()):,}"
    for scores in about.get("scores", {}).values():
        for name, score in scores.items():
            real = "" if score["real"] is None else f" (real data {short(score['real'])})"
            facts[name] = f"{short(score['value'])}{real}"
    return facts
