"""Colours that mean the same in every figure and on every page."""

REAL, GENERATED = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito, which colour-blind readers can tell apart."""

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
"""One a class, in the order of the labels: Paul Tol's bright and muted colours, his yellow darkened for white paper."""

INK, FAINT_INK, LINE, GRID = "#222222", "#777777", "#999999", "#E3E3E3"
"""Of titles, of remarks, of axes and of the grid."""
