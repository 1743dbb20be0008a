"""How the service keeps its pace while the store fills, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.growth_size import Size

COLORS = ("#0072b2", "#d55e00", "#009e73")
MILLION = 1e6


def draw(measured: Mapping[str, Sequence[Size]], limit_ms: float, out: Path) -> None:
    """Write an SVG: of each database single answers per second as multiples of the first, and the pages' times below
    their limit, over the rows stored."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        figure = Figure(figsize=(7.2, 5.0), layout="constrained")
        FigureCanvasSVG(figure)
        above, below = figure.subplots(2, sharex=True)
        for (database, sizes), color in zip(measured.items(), COLORS, strict=False):
            rows = [size.rows / MILLION for size in sizes]
            answers = [size.singles_per_second / sizes[0].singles_per_second for size in sizes]
            above.plot(rows, answers, "o-", color=color, label=database)
            below.plot(rows, [size.audience_ms for size in sizes], "o-", color=color, label=f"audience, {database}")
            below.plot(rows, [size.history_ms for size in sizes], "s--", color=color, label=f"history, {database}")
        below.axhline(limit_ms, color="#555555", linestyle=":")
        _finish(above, "single answers/s,\nmultiple of the first")
        _finish(below, "page, 95th percentile, ms")
        below.set_xlabel("stored answers, millions")
        figure.savefig(out, format="svg", metadata={"Date": None})


def _finish(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
