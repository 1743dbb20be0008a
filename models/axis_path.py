"""The first steps of courses along a value axis: what can be solved in closed form is, the rest is looked for."""

from collections.abc import Sequence

import numpy as np

from models.axis import Axis
from models.axis_line import Line
from models.axis_search import AxisSearch, Courses, Cut
from models.course import Flags, Indices, Motion, Pathfinder, Values
from models.scorer import Scorer

FEW = 64  # steps that are looked at one by one


class AxisPathfinder(Pathfinder):
    """A `Pathfinder` for the scorers that place customers along an axis of log features."""

    def __init__(self, scorer: Scorer, axis: Axis, line: Line) -> None:
        super().__init__(scorer)
        self._cut = Cut(axis, np.array(line.middles), np.array(line.order), line.doubt(self.certain))

    def first_of_many(
        self, motions: Sequence[Motion], wanted: Flags, last: Values, done: Values
    ) -> tuple[Indices, Indices]:
        courses = Courses(self.arrays, motions, done)
        search = AxisSearch(
            self.arrays, self._cut, courses, wanted, last, lambda values: self.scorer.place(values.tolist()).nearest
        )
        possible = wanted.any(axis=1)
        few = last <= FEW
        search.in_closed_form(np.flatnonzero(possible & courses.together))
        search.step_by_step(np.flatnonzero(possible & ~courses.together & few))
        rest = np.flatnonzero(possible & ~courses.together & ~few)
        if rest.size:
            theirs = [_of(rest, motion, len(last)) for motion in motions]
            search.steps[rest], search.placed[rest] = super().first_of_many(
                theirs, wanted[rest], last[rest], done[rest]
            )
        return search.steps, search.placed


def _of(rows: Indices, motion: Motion, n: int) -> Motion:
    """The motion of some of n customers."""
    a, b, p, q = (np.broadcast_to(part, n)[rows] for part in motion)
    return a, b, p, q
