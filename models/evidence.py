"""The records of how a model came to be: what the data held, what was left out, which candidates were compared."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

LEAST_EXPLAINED = 0.005  # R², or AUC above chance: of what explains less, a share is not said


class Record(BaseModel):
    """Frozen, closed, and the same as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceFile(Record):
    """What identifies one file (or query) that was read.

    `name` has no folder; `sha256` is of the file as it lies on disk, so `sha256sum` shows the same; of a query it
    is of its rows' text, in the order they came. `left_out` counts lines of a text file that do not have as many
    fields as its header and are therefore not among the `rows`.
    """

    name: str
    sha256: str
    bytes: int
    rows: int
    left_out: int = 0


class RuleCount(Record):
    """What one cleaning rule did: `matched` lines anywhere in the data, `removed` those no earlier rule had taken.

    `remaining` are the lines left after it. `examples` show invoice, product, quantity and price of some.
    """

    rule: str
    reason: str
    matched: int
    removed: int
    remaining: int
    examples: tuple[str, ...]


class CleaningReport(Record):
    """From the lines read to the purchase lines used, in the order of the rules; money in the data's currency."""

    rows: int
    rules: tuple[RuleCount, ...]
    purchases: int
    purchase_customers: int
    purchase_revenue: float
    returns: int
    returned_value: float
    cancelled_purchases: int
    customers: int
    orders: int
    revenue: float


class CheckResult(Record):
    """Whether what cleaning left is plausible in one respect: `value` beside its `limit`, and what that means.

    `value` is None where there was nothing to measure. `accepted` is a failed check that the analyst accepted.
    """

    name: str
    passed: bool
    value: float | None
    limit: float
    message: str
    accepted: bool = False

    @property
    def warning(self) -> str:
        return f"The check {self.name} failed and was accepted: {self.message}"


class Estimate(Record):
    """A measured figure and the 95 % interval it lies in, by bootstrap over customers (Efron 1979)."""

    value: float
    low: float
    high: float


class Score(Record):
    """What a way of segmenting tells of the days after a cut-off, each customer judged by other customers.

    `auc` is of buying again (0.5 is chance), `r_squared` of log revenue (0 is chance), `kendall` the rank correlation
    of the segments' order by revenue before with that after; None where it is not segments.
    """

    method: str
    segments: int | None
    auc: Estimate
    r_squared: Estimate
    kendall: float | None = None


class Backtest(Record):
    """Everything fitted on what was known at `cut_off`, and judged by the `horizon` days after it.

    `model` is the chosen way of segmenting, `baseline` the quintile groups of marketing tools, `limit` boosted trees on
    all features, which nobody could act on: about as much as these features can tell.
    """

    cut_off: AwareDatetime
    horizon: int
    customers: int
    bought_share: float
    model: Score
    baseline: Score
    limit: Score
    beyond_chance: bool
    says: str


class Candidate(Record):
    """A way of making segments that was tried. None where history is too short to measure it."""

    name: str
    features: tuple[str, ...]
    transform: str
    algorithm: str
    k: int
    auc: float | None
    r_squared: float | None
    kendall: float | None
    stability: float
    silhouette: float
    davies_bouldin: float
    smallest_share: float
    excluded: str | None


class Selection(Record):
    """All candidates, the rule that chose among them, and the reason in words; `chosen` indexes `candidates`.

    `compared` are other algorithms at the chosen number of segments, to be looked at; they are not chosen from.
    """

    rule: str
    reason: str
    chosen: int
    candidates: tuple[Candidate, ...]
    compared: tuple[Candidate, ...]

    @property
    def winner(self) -> Candidate:
        return self.candidates[self.chosen]


class StabilityRecord(Record):
    """How far the segments stay themselves: over `refits` on bootstrap resamples of the customers.

    `ari` is the mean adjusted Rand index (Hubert and Arabie 1985), `jaccard` by segment id the mean overlap with the
    same segment of a refit (Hennig 2007; under 0.6 a segment is hardly there, and is among the `weak`). `halves` is
    the share of customers whom two fits on two halves of the customers place alike.
    """

    refits: int
    ari: Estimate
    jaccard: dict[int, float]
    weak: tuple[int, ...]
    halves: float | None


class CalibrationBin(Record):
    """Customers of about one confidence: the mean of what was said, and the share kept in refits not learned from."""

    said: float
    kept: float
    customers: int


class Evidence(Record):
    """What speaks for the segments and what could not be shown.

    `warnings` are about thin data and failed checks that were accepted, `unproved` say what the history is too short
    for.
    """

    backtests: tuple[Backtest, ...]
    stability: StabilityRecord
    calibration: tuple[CalibrationBin, ...]
    warnings: tuple[str, ...]
    unproved: tuple[str, ...]

    @property
    def beyond_chance(self) -> bool | None:
        """Whether the segments behaved differently later; None where that could not be tried."""
        return all(one.beyond_chance for one in self.backtests) if self.backtests else None


class FeatureRecord(Record):
    """What a feature means; `clusters` tells whether it decides the segment or only describes it.

    A feature in words has its `levels`; it is then numbers as `models.category` makes them.
    """

    name: str
    unit: str
    formula: str
    one_order: str
    clusters: bool
    levels: tuple[str, ...] | None = None
