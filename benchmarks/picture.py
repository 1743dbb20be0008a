"""The ratios of one run as a picture: how fast the service answers beside a server that does nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

BAR, YARDSTICK = "#0072b2", "#d55e00"


def draw(ratios: Mapping[str, Sequence[float]], out: Path) -> None:
    """Write an SVG with a bar per case at the median of its rounds, and the spread of the rounds across it."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ratios"}):
        figure = Figure(figsize=(7.2, 0.6 + 0.38 * len(ratios)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        names = list(ratios)[::-1]
        middles = [sorted(ratios[name])[len(ratios[name]) // 2] for name in names]
        below = [middle - min(ratios[name]) for name, middle in zip(names, middles, strict=True)]
        above = [max(ratios[name]) - middle for name, middle in zip(names, middles, strict=True)]
        axes.barh([name.replace("_", " ") for name in names], middles, xerr=[below, above], color=BAR, height=0.6)
        axes.axvline(1.0, color=YARDSTICK, linestyle="--")
        axes.set_xlabel("requests, or customers in batches, per second: multiple of the yardstick's in the same run")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(out, format="svg", metadata={"Date": None})
