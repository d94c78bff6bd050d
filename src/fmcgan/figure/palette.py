"""Colours with the same meaning in all figures and pages."""

REAL, GENERATED = "#0072B2", "#D55E00"  # blue and vermilion of Okabe and Ito, safe for colour-blind readers
CLASS_COLOURS = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#B8A125",
    "#66CCEE",
    "#AA3377",
    "#7A7A7A",
    "#EE7733",
    "#332288",
    "#882255",
)
"""Colour of each class: Paul Tol's bright and muted colours, with a darker yellow."""
INK, FAINT_INK, LINE, GRID = "#222222", "#777777", "#999999", "#E3E3E3"
"""Colours of titles, remarks, axes and grid lines."""
