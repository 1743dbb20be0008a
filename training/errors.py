"""What can go wrong in training, said in sentences for the person at the command line."""

from collections.abc import Sequence

from models.evidence import CheckResult


class UnreadableSource(Exception):
    """Purchase data cannot be read as it is; the message says what is wrong, where, and what to do."""


class Implausible(Exception):
    """What cleaning left cannot be a shop's purchases; `failed` are the checks that say why."""

    def __init__(self, failed: Sequence[CheckResult]) -> None:
        super().__init__(" ".join(result.message for result in failed))
        self.failed = tuple(failed)


class TooFewCustomers(Exception):
    """What cleaning left is too little to train on; the message says how much there is and how much is needed."""


class MissingColumns(UnreadableSource):
    """A table has no columns that could be those of purchases."""
