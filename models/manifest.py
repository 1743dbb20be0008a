"""The manifest of an artifact: everything a person or a program wants to know of a model but its arrays."""

import hashlib
import re
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from models.customer.conventions import FORMER_CONVENTIONS, Conventions
from models.driver import Ranking
from models.evidence import CheckResult, CleaningReport, Evidence, FeatureRecord, Record, Selection, SourceFile
from models.features import MAIN_COUNTRY
from models.hit_rate import RecommendationRecord
from models.import_plan import ImportPlan
from models.movement import Movements
from models.rule import Rules
from models.spread import Spread
from models.table_reading import TableReading

VERSION_PATTERN = re.compile(r"[0-9]{8}-[0-9a-f]{16}")


class FileRecord(Record):
    """A file of the artifact as it was written."""

    sha256: str
    bytes: int


class Manifest(Record):
    """Stored as `manifest.json`; the artifact's version is its date and the digest of these bytes.

    `source` says whether customers were described by their transactions or came as a table, one row each; a table has
    no `cleaning`, no `plausibility` and no dates. `conventions` are the shop's, which the service applies too; `plan`
    says how the source was read, `table` how a table was. `drivers` rank the features, `rules` say the segments in
    short, `recommendations` how good the products are, `movements` who moved since the model before.
    """

    format: Literal[2] = 2
    source: Literal["transactions", "customers"]
    as_of: AwareDatetime
    customers: int
    features: tuple[FeatureRecord, ...]
    ranges: dict[str, tuple[float, float]]
    base: dict[str, Spread]
    seed: int
    parameters: dict[str, str | int | float | bool | None]
    data: tuple[SourceFile, ...]
    data_first: AwareDatetime | None
    data_last: AwareDatetime | None
    notes: tuple[str, ...]
    cleaning: CleaningReport | None
    table: TableReading | None = None
    conventions: Conventions = FORMER_CONVENTIONS
    plan: ImportPlan | None = None
    plausibility: tuple[CheckResult, ...] = ()
    selection: Selection
    evidence: Evidence
    drivers: tuple[Ranking, ...]
    rules: Rules | None
    recommendations: RecommendationRecord | None
    movements: Movements | None
    previous: str | None
    libraries: dict[str, str]
    files: dict[str, FileRecord]

    @property
    def scored_features(self) -> tuple[str, ...]:
        """What a table of customers to be scored may have: the features, and of a shop's customers the main country."""
        names = tuple(feature.name for feature in self.features)
        return names if self.source == "customers" else (*names, MAIN_COUNTRY)

    def to_bytes(self) -> bytes:
        """The canonical text: the same manifest gives the same bytes."""
        return self.model_dump_json(indent=2).encode() + b"\n"


def version_of(manifest: bytes, as_of: datetime) -> str:
    """The version these manifest bytes have: the day of `as_of`, then 16 hexadecimal digits of their SHA-256.

    Because the manifest holds the digest of every other file, no file can change without the version changing.
    """
    return f"{as_of:%Y%m%d}-{hashlib.sha256(manifest).hexdigest()[:16]}"
