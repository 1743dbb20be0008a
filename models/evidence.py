"""The records of how a model came to be: what the data held, what was left out, which candidates were compared."""

from pydantic import BaseModel, ConfigDict


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


class Candidate(Record):
    """A number of segments that was tried. All figures from the same sample and seed."""

    k: int
    stability: float
    silhouette: float
    davies_bouldin: float
    smallest_share: float
    inertia: float
    excluded: str | None


class Selection(Record):
    """All candidates, the rule that chose among them, and the reason in words."""

    rule: str
    reason: str
    chosen: int
    candidates: tuple[Candidate, ...]


class FeatureRecord(Record):
    """What a feature means; `clusters` tells whether it decides the segment or only describes it."""

    name: str
    unit: str
    formula: str
    one_order: str
    clusters: bool
