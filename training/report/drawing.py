"""Drawings as inline SVG: one calm style, colours that the colour-blind can tell apart, ink that follows the page."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from training.report.markup import Html, tag

# Okabe and Ito (2008), Color Universal Design; black is left out, which a dark page would hide, and yellow comes last,
# which a white one nearly does.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#8c8c8c", "#f0e442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Stand-ins, replaced by what the page's own style gives on screen, in the dark and on paper.
INK, LINE, SURFACE = "#010203", "#040506", "#070809"
_STYLE = {INK: "currentColor", LINE: "var(--line)", SURFACE: "var(--surface)"}
WIDTH = 7.2  # inches, at 72 units of the SVG each

_RC: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so lengths of texts are the same everywhere
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
}


def drawn(name: str, says: str, height: float, draw: Callable[[Figure], None]) -> Html:
    """What `draw` draws on a figure, as SVG for the inside of a page.

    `name` keeps the ids inside apart from those of other drawings, `says` is the message in words for who cannot see
    it, `height` is in inches. The same drawing gives the same text.
    """
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(written.getvalue(), name, says)


def _inline(svg: str, name: str, says: str) -> Html:
    """Without what only a file of its own needs: prologue, name spaces, metadata, a size in points, fonts."""
    body = svg[svg.index("<svg") :]
    opening, inside = body.split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', opening)
    inside = inside[: inside.rindex("</svg>")]
    inside = re.sub(r"<metadata>.*?</metadata>\s*", "", inside, flags=re.DOTALL)
    inside = re.sub(r"<!--.*?-->\s*", "", inside, flags=re.DOTALL).replace("xlink:href", "href")
    inside = re.sub(r"font: ([0-9.]+)px '[^']*'(?:, [^;\"]*)?", r"font-size: \1px", inside)
    for stand_in, style in _STYLE.items():
        inside = inside.replace(stand_in, style)
    inside = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", inside)
    return tag("svg", Html(inside.strip()), viewBox=box[1] if box else "0 0 518 300", role="img", aria_label=says)
