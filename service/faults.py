"""Validation errors as sentences that name the field, the value and the bound."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from service.errors import Fault

LONGEST_VALUE = 60
LONGEST_STEP = 200  # of a pointer: a name that nobody knows here is not sent back whole
MOST = 20  # faults told at once; a person mends the first ones first
WHOLE_HISTORY = (
    "features over the whole history must come in one request; send features, "
    "which python -m training features works out"
)
AND_MORE = Fault("", "and more; correct these first")

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)

# What pydantic calls an error, and how it is said to a client. {value} is what was sent; other names are the bounds.
SENTENCES: Mapping[str, str] = {
    "missing": "is missing; send it",
    "extra_forbidden": "is not a field that is known here; remove it or correct its name",
    "greater_than_equal": "is {value}, and must be at least {ge:g}",
    "greater_than": "is {value}, and must be more than {gt:g}",
    "less_than_equal": "is {value}, and must be at most {le:g}",
    "finite_number": "is {value}, and must be a finite number",
    "float_type": "is {value}, and must be a number",
    "int_type": "is {value}, and must be a whole number",
    "int_parsing": "is {value}, and must be a whole number",
    "int_from_float": "is {value}, and must be a whole number",
    "string_type": "is {value}, and must be text",
    "string_too_long": "has more than {max_length} characters; shorten it",
    "too_long": "has {actual_length} entries, and may have at most {max_length}",
    "too_short": "is empty; send at least {min_length}",
    "literal_error": "is {value}, and must be {expected}",
    "list_type": "is {value}, and must be a list",
    "dict_type": "is {value}, and must be an object",
    "model_type": "is {value}, and must be an object",
    "model_attributes_type": "is {value}, and must be an object",
    "datetime_type": "is {value}, and must be a time such as 2011-12-09T12:50:00Z",
    "datetime_parsing": "is {value}, and must be a time such as 2011-12-09T12:50:00Z",
    "datetime_from_date_parsing": "is {value}, and must be a time such as 2011-12-09T12:50:00Z",
    "datetime_object_invalid": "is {value}, and must be a time such as 2011-12-09T12:50:00Z",
    "json_invalid": "is not JSON: {error}",
}


def faults_of(errors: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """The faults in pydantic's list of errors."""
    return [
        Fault(pointer([_cut(str(step), LONGEST_STEP) for step in error["loc"]]), _sentence(error)) for error in errors
    ]


def first_faults(faults: Sequence[Fault]) -> list[Fault]:
    """At most MOST of them; whether there are more, but not how many: the others may not have been looked for."""
    return [*faults] if len(faults) <= MOST else [*faults[:MOST], AND_MORE]


def too_many_transactions(most: int) -> Fault:
    """What helps where a customer has more: sent in parts, the last part's answer would stand for the customer."""
    return Fault(
        "/transactions",
        f"has more than {most:,} entries, and {WHOLE_HISTORY}, or raise SEGMENTATION_MAX_TRANSACTIONS",
    )


def pointer(place: Sequence[str]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in place)


def _sentence(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], dict(error.get("ctx") or {})
    if kind == "float_type" and type(error.get("input")) is int:
        kind = "finite_number"  # an integer that no float can be
    if kind == "value_error":
        return str(context.get("error", error["msg"])).removeprefix("Value error, ")
    template = SENTENCES.get(kind)
    if template is None:
        return f"is {shown(error.get('input'))}: {error['msg']}"
    say: Callable[..., str] = template.format
    value = shown(error.get("input")) if "{value}" in template else ""  # of a missing field it is the whole object
    return say(value=value, **context)


def shown(value: Any) -> str:
    """A value as it was sent, cut to a readable length."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        text = "".join(islice(_ENCODER.iterencode(value), LONGEST_VALUE))  # not all of a value with thousands of others
    except ValueError:  # an integer of more digits than Python will print
        return "a number of thousands of digits"
    return _cut(text, LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
