"""The words of exports, in several languages, as `vocabulary.json` has them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`described` are words that the descriptions of a code on the list of non-products have, `certain` the codes that
    are such words themselves. Codes of `sizes` show that those in `sizes_on_the_list` are sizes too. `phrases` are
    whole texts for postage, fees and the like; `discounts` and `adjustments` are words within a text. `placeholders`
    always stand for no customer, `perhaps_placeholders` if they behave so.
    """

    described: Mapping[str, Sequence[str]]
    certain: Sequence[str]
    sizes: Sequence[str]
    sizes_on_the_list: Sequence[str]
    phrases: Sequence[str]
    discounts: Sequence[str]
    adjustments: Sequence[str]
    placeholders: Sequence[str]
    placeholder_mailboxes: Sequence[str]
    perhaps_placeholders: Sequence[str]


@cache
def vocabulary() -> Vocabulary:
    """The words that ship with the package."""
    return Vocabulary(**json.loads(files("training.preparation").joinpath("vocabulary.json").read_text("utf-8")))
