# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a generator learned, missed and confused
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# A score says how far samples are from real images. It does not say *what* is different. This notebook takes the generator in
# the package and looks at kinds, biases, maps and findings. It trains nothing and takes under five minutes on two CPU cores.
#
# Lines that begin with `!` are terminal commands; names in braces stand for the settings below. (`| cat` replaces the progress
# bar by lines.)

# %% tags=["install"]
import importlib.util

# In Colab: upload this notebook and the wheel that `make wheel` writes; this cell installs it.
if importlib.util.find_spec("fmcgan") is None:
    # !pip install --quiet "$(ls fmcgan-*.whl)[analysis]"
    pass

# %% tags=["parameters"]
RUN = ""  # the generator in the package; or a run of your own: "run=outputs/first"
SCORED = 1000  # samples; more give narrower intervals
PARTS = "analysis=[scores,confusions,clusters,bias,maps,directions]"
FOLDER = "outputs/insight"
ROOT = "data"  # folder of the data set; downloaded if missing

# %%
import json
import os
import sys
from pathlib import Path

import numpy as np
from IPython.display import Image as ShowImage
from IPython.display import Markdown, display

from fmcgan import load_generator
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.figure.grid import class_grid

python = sys.executable

# %% [markdown]
# ## Look first
#
# Real shirts above, generated ones below. Can you tell them apart? What would you measure?

# %%
mirror = os.environ.get("FMCGAN_DATA_MIRROR")  # folder or URL of the four files; None: the official URL
data = FashionMNISTData(ROOT, mirror, batch_size=64, seed=0).load()
generator = load_generator(RUN.removeprefix("run=") or None)
shirts = data.test_images[data.test_labels == 6][:12, 0].numpy()
rows = [shirts, generator.sample("shirt", 12, seed=1).images]
display(class_grid(np.stack(rows), ["real shirts", "generated shirts"], "Shirts"))

# %% [markdown]
# ## One command
#
# `analyze` compares the samples with real images in many ways. It keeps a difference only if it is significant after correction
# for all comparisons, and larger than the same difference between two sets of real images.

# %%
folder = Path(FOLDER)
# !{python} -m fmcgan.analyze {RUN} data.root={ROOT} n={SCORED} {PARTS} output={folder} 2>&1 | cat

# %% [markdown]
# ## The verdict and the findings
#
# Each finding is a sentence with numbers, intervals in brackets, and the number of images. `findings.json` has all of them.

# %%
found = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
display(Markdown(f"> {found['verdict']}"))
statements = [finding["statement"] for finding in found["findings"]]
display(Markdown("\n".join(f"{place}. {text}" for place, text in enumerate(statements, 1)) or "*No findings.*"))


# %%
def show(*names):
    """Shows figures of the analysis that exist."""
    for name in names:
        if (figure := folder / f"{name}.png").exists():
            display(ShowImage(figure))


# %% [markdown]
# ## Which kinds are missing?
#
# Real images of a class form *kinds*: long and short dresses, bags with and without handles. Clusters find them without names.
# A kind is missing if hardly any sample falls into it.

# %%
show("clusters_overview")

# %% [markdown]
# ## Biases
#
# Are samples brighter, larger, more symmetric than real images of the class? Each line is a class; the violin of real images
# stands beside that of the samples.

# %%
show("bias_brightness", "bias_means")

# %% [markdown]
# ## Confusions
#
# A classifier of real images reads the samples. What it confuses among *real* images (shirts and t-shirts) is no fault of the
# generator; the figure shows both.

# %%
show("confusions_agreement", "confusions_difference")

# %% [markdown]
# ## A map
#
# UMAP puts similar images side by side. Where real images lie without generated ones, something is missing. A map distorts
# distances: use it to find questions, not answers.

# %%
show("maps_umap_thumbnails")

# %% [markdown]
# ## Directions: what can be turned?
#
# Some directions of the latent space change images strongly, and often one thing at a time.

# %%
show("directions_sefa")

# %% [markdown]
# ## The control
#
# Put real test images in place of the samples. A sound analysis finds nothing: all differences are chance.

# %%
control = Path(FOLDER) / "control"
# !{python} -m fmcgan.analyze samples=test data.root={ROOT} n={SCORED} analysis=[bias] output={control} 2>&1 | cat

# %%
found = json.loads((control / "findings.json").read_text(encoding="utf-8"))
print(len(found["findings"]), "findings among", len(found["effects"]), "differences")

# %% [markdown]
# ## What to try next
#
# - `RUN = "run=outputs/first"`: a run of your own. A minute of training has many more findings.
# - Open `report.html` in the folder: the map is linked with the findings, and works on a phone.
# - `python -m fmcgan.generate truncation=0.7 output=typical.npz n_per_class=100`, then `analyze samples=typical.npz`: what does
#   truncation cost?
