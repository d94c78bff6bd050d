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
# # Your own images
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# A generator for a folder of images: one sub-folder for each class, any sizes, grey or in colour. This notebook draws a small
# set of coloured shapes, so that nothing has to be downloaded, and trains on it. Put the path of your own folder into `PHOTOS`
# instead. It takes under five minutes on two CPU cores.
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
PHOTOS = "shapes"  # a folder with a sub-folder of PNG or JPEG files for each class; drawn below if it does not exist
RECIPE = "experiment=minute trainer.limit_train_batches=500"  # experiment=quick for better images
SCORED = 900  # samples for evaluation and analysis, a multiple of the number of classes
METRICS = "metric=[frechet,gan_test,manifold,memorisation] metric/feature=[classifier]"
PARTS = "analysis=[sample_check,confusions,neighbours]"
FOLDER = "outputs/own_data"

# %%
import json
import sys
from pathlib import Path

import numpy as np
from IPython.display import Image as ShowImage
from IPython.display import Markdown, display
from PIL import Image, ImageDraw

from fmcgan import load_generator
from fmcgan.figure.grid import class_grid

python = sys.executable

# %% [markdown]
# ## The images
#
# Three classes of unequal size: 60 discs, 100 squares and 140 triangles in random colours and places.


# %%
def draw(shape, random):
    """Draws one shape of 40 x 40 pixels on black."""
    image = Image.new("RGB", (40, 40))
    pen, color = ImageDraw.Draw(image), tuple(int(c) for c in random.integers(90, 256, 3))
    (x, y), r = random.integers(12, 28, 2), random.integers(6, 12)
    if shape == "disc":
        pen.ellipse([x - r, y - r, x + r, y + r], fill=color)
    elif shape == "square":
        pen.rectangle([x - r, y - r, x + r, y + r], fill=color)
    else:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=color)
    return image


if not Path(PHOTOS).exists():
    random = np.random.default_rng(0)
    for shape, count in (("disc", 60), ("square", 100), ("triangle", 140)):
        folder = Path(PHOTOS) / shape
        folder.mkdir(parents=True)
        for number in range(count):
            draw(shape, random).save(folder / f"{number:03}.png")

print({folder.name: len(list(folder.iterdir())) for folder in sorted(Path(PHOTOS).iterdir())})

# %% [markdown]
# ## Training
#
# `data=folder` reads the classes from the names of the sub-folders and resizes all images to 32 x 32. A fifth of each class
# becomes the test set. The recipe counts images, not passes: it trains as long as on 60,000 images.

# %%
run = Path(FOLDER) / "run"
# !{python} -m fmcgan.train data=folder data.root={PHOTOS} {RECIPE} hydra.run.dir={run} seed=0 2>&1 | cat

# %% [markdown]
# ## The samples
#
# `real.png` of the run shows what the network saw: look at it first. Wrong folders and wrong crops show here.

# %%
generator = load_generator(run)
print(generator.info.class_names, generator.info.shape)
drawn = generator.sample(n_per_class=10, seed=0)
rows = drawn.images.reshape(generator.info.num_classes, 10, *drawn.images.shape[1:])
display(class_grid(rows, generator.info.class_names, "Generated images by class"))

# %%
display(ShowImage(run / "real.png"))

# %% [markdown]
# ## How good are they?
#
# Fashion-MNIST has a classifier in the package. For your images the first evaluation has trained one, on the training images
# alone. Values with different classifiers cannot be compared.
#
# With few images, ask about copies: `near_copies` is the share of samples nearer to a training image than the closest hundredth
# of the test images. Real images have 0.01.

# %%
# !{python} -m fmcgan.evaluate run={run} n={SCORED} {METRICS} baselines=[real,training_copies] 2>&1 | cat

# %%
display(ShowImage(run / "evaluation_closest_pairs.png"))

# %% [markdown]
# ## What it confused

# %%
# !{python} -m fmcgan.analyze run={run} n={SCORED} {PARTS} 2>&1 | cat

# %%
found = json.loads((run / "analysis" / "findings.json").read_text(encoding="utf-8"))
display(Markdown(f"> {found['verdict']}"))
for alarm in found["alarms"]:
    display(Markdown(f"**{alarm['name']}**: {alarm['statement']}"))

# %% [markdown]
# ## What to try next
#
# - `data.size=64`, `data.channels=1`, `data.aspect=pad`: other sizes, grey, borders instead of crops.
# - `data.flips=true`, if a mirrored image is as plausible as the original.
# - `augment=adaptive`, if recall is low and `near_copies` is high: it augments as far as the discriminator overfits.
# - `python -m fmcgan.export run=... format=html`: a page that draws your classes in the browser.
