"""Which form a batch has, and in which it is to be answered, by the request's headers."""

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import Scope

from service.forms.form import Form

UNICODE = {"", "utf-8", "utf8", "us-ascii"}


def sent_form(content_type: str | None) -> Form:
    """The form of the body. Raises HTTPException, 415."""
    kind, _, parameters = (content_type or Form.JSON).partition(";")
    kind = kind.strip().lower()
    if kind not in set(Form):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:60]}; send {_listed()}, and name it in Content-Type"
        )
    charset = _parameter(parameters, "charset").strip('"').lower()
    if charset not in UNICODE:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is text in {charset[:60]}; send it in UTF-8")
    return Form(kind)


def answer_form(accept: str | None, sent: Form) -> Form:
    """The form that the client likes best; of equally liked ones that of the request. Raises HTTPException, 406."""
    if accept is None or not accept.strip():
        return sent
    ranges = list(_ranges(accept))
    preferred = [sent, *(form for form in Form if form is not sent)]
    liked = max(preferred, key=lambda form: _quality(form, ranges))  # the first of equals
    if _quality(liked, ranges) <= 0:
        raise HTTPException(HTTPStatus.NOT_ACCEPTABLE, f"a batch is answered in {_listed()}; accept one of them")
    return liked


def is_streamed(scope: Scope) -> bool:
    """Whether a request's body is read piece by piece, and so may be of any length."""
    if scope["path"] != "/segment/batch":
        return False
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    return kind in set(Form) and Form(kind).streams


def _quality(form: Form, ranges: list[tuple[str, float]]) -> float:
    """How much a form is liked: the most exact range that it is in says so."""
    exactness = (form.value, f"{form.value.partition('/')[0]}/*", "*/*")
    for wanted in exactness:
        said = [quality for name, quality in ranges if name == wanted]
        if said:
            return max(said)
    return 0.0


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for one in accept.split(","):
        name, _, parameters = one.partition(";")
        if name.strip():
            try:
                quality = float(_parameter(parameters, "q") or 1.0)
            except ValueError:
                quality = 0.0
            yield name.strip().lower(), quality if 0.0 <= quality <= 1.0 else 0.0


def _parameter(parameters: str, wanted: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == wanted:
            return value.strip()
    return ""


def _listed() -> str:
    *others, last = Form
    return f"{', '.join(others)} or {last}"
