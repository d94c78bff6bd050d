"""The cells of a heat map."""


def colours_of(figure):
    """Colours (RGBA) of the cells that have one, by (row, column)."""
    filled = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    return {(round(patch.get_y() + 0.47), round(patch.get_x() + 0.48)): patch.get_facecolor() for patch in filled}


def texts_of(figure):
    """Texts in the cells, by (row, column)."""
    return {(round(text.get_position()[1]), text.get_position()[0]): text.get_text() for text in figure.axes[0].texts}
