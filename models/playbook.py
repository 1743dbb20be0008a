"""What to do about a segment: data that people edit, `playbooks.json`, keyed by segment name."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from models.errors import PlaybooksRefused

Values = NDArray[np.float64]

DEFAULT = "default"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)


class Contacts(_Record):
    """The cap on contacts: at most `most` in any `days` days to one customer, over all channels together.

    Marketing counts; order confirmations, deliveries and answers to the customer's own questions do not.
    """

    most: int = Field(ge=1, strict=True, description="Contacts with one customer, over all channels.")
    days: int = Field(ge=1, strict=True, description="In any so many days.")


class Discount(_Record):
    """The discount guard: which members may be given a discount, and how high at most.

    A discount is money off the price of goods; free delivery, gifts, early access and payment terms are none.
    By `when`, it may be given

    - "never": to nobody: they buy without one. `most_percent` is 0.
    - "second order": to a customer with exactly one order, on the next.
    - "after silence": to a customer whose last purchase is at least `after_days` ago.
    - "any time": to every member.
    """

    when: Literal["never", "second order", "after silence", "any time"] = Field(
        description='"never"; "second order": to a customer with exactly one order; "after silence": when the last '
        'purchase is at least `after_days` ago; "any time".'
    )
    after_days: int | None = Field(None, ge=1, strict=True, description='With "after silence" only.')
    most_percent: int = Field(ge=0, le=100, strict=True, description='Highest discount in per cent; 0 with "never".')

    @model_validator(mode="after")
    def _fields_agree(self) -> "Discount":
        if (self.when == "never") != (self.most_percent == 0):
            raise ValueError('most_percent must be 0 with "never", and more than 0 otherwise')
        if (self.when == "after silence") != (self.after_days is not None):
            raise ValueError('after_days must be there with "after silence", and only with it')
        return self

    def highest(self, frequency: float, recency: float) -> int:
        """The highest discount, in per cent, for a customer with `frequency` orders, the last `recency` days ago."""
        when = self.when  # without a table of the four: this is asked for every customer
        if when == "never" or (when == "second order" and frequency != 1):
            return 0
        if when == "after silence" and not recency >= (self.after_days or 0):  # nor where it is not known
            return 0
        return self.most_percent

    def highest_of_many(self, frequency: Values, recency: Values) -> NDArray[np.intp]:
        """The same for n customers, shape (n,); NaN is not known."""
        given = np.full(len(frequency), self.when != "never")
        if self.when == "second order":
            given = frequency == 1
        if self.when == "after silence":
            given = recency >= (self.after_days or 0)
        return np.where(given, self.most_percent, 0)


class Playbook(_Record):
    """What to try to achieve with the members of a segment, how, and within which limits."""

    goal: str
    action: str
    offer: str
    channel: str
    timing: str
    avoid: str
    contacts: Contacts = Field(description="Cap on contacts.")
    discount: Discount = Field(description="Discount guard.")


Playbooks = Mapping[str, Playbook]
_ADAPTER: TypeAdapter[dict[str, Playbook]] = TypeAdapter(dict[str, Playbook])


def load_playbooks(path: Path | None = None) -> Playbooks:
    """The playbooks in a file, or those that ship with the package.

    Raises PlaybooksRefused where the file cannot be read, a field is missing or cannot be, or there is no "default".
    """
    try:
        text = path.read_bytes() if path else files("models").joinpath("playbooks.json").read_bytes()
        playbooks = _ADAPTER.validate_json(text)
    except OSError as error:
        raise PlaybooksRefused(f"the playbooks cannot be read: {error.strerror}", reason=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise PlaybooksRefused(f"the playbooks: {where}: {said}", reason=str(path)) from error
    if DEFAULT not in playbooks:
        said = f"the playbooks need an entry {DEFAULT!r} for segments without one of their own"
        raise PlaybooksRefused(said, reason=str(path))
    return playbooks


def dump_playbooks(playbooks: Playbooks) -> str:
    """The playbooks as the JSON text that `load_playbooks` reads."""
    return json.dumps({name: one.model_dump() for name, one in playbooks.items()}, indent=2, ensure_ascii=False)


def playbook_for(playbooks: Playbooks, name: str) -> Playbook:
    """The playbook of the segment with this name, or the default."""
    return playbooks.get(name, playbooks[DEFAULT])
