"""HTML made of elements. A plain text becomes part of a page escaped; only what was made here counts as markup."""

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def joined(*content: str) -> Html:
    """The parts one after another, escaped where they are not markup. No line breaks between a figure and its %."""
    return Html("".join(one if isinstance(one, Html) else escape(one).replace(" %", "\u00a0%") for one in content))


def tag(name: str, *content: str, **attributes: str) -> Html:
    """An element with an end tag. `class_` is written class, and `aria_label` aria-label."""
    written = "".join(f' {_attribute(key)}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{joined(*content)}</{name}>")


def paragraph(*content: str) -> Html:
    """A paragraph."""
    return tag("p", *content)


def note(*content: str, kind: str = "note") -> Html:
    """A paragraph that stands out: a `note`, or a `warning`."""
    return tag("p", *content, class_=kind)


def bullets(items: Iterable[str]) -> Html:
    """A list; nothing where there are no items."""
    points = [tag("li", item) for item in items]
    return tag("ul", *points) if points else Html()


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Terms with what is to be said of each."""
    return tag("dl", *[joined(tag("dt", term), tag("dd", said)) for term, said in pairs])


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = ()) -> Html:
    """A table whose first column names the rows. The other columns are figures, save those numbered in `texts`."""
    left = {0, *texts}
    align = ["text" if place in left else "figure" for place in range(len(head))]
    heads = [tag("th", one, scope="col", class_=kind) for one, kind in zip(head, align, strict=True)]
    lines = []
    for row in rows:
        cells = [_cell(place, one, kind) for place, (one, kind) in enumerate(zip(row, align, strict=True))]
        lines.append(tag("tr", *cells))
    return framed(caption, tag("thead", tag("tr", *heads)), tag("tbody", *lines))


def framed(caption: str, *content: str, class_: str = "plain") -> Html:
    """A table that scrolls by itself on a narrow screen."""
    inside = tag("table", tag("caption", caption), *content, class_=class_)
    return tag("div", inside, class_="scroll", role="region", tabindex="0", aria_label=caption)


def figure(picture: Html, *caption: str) -> Html:
    """A picture with its caption; a wide one scrolls by itself on a narrow screen."""
    return tag("figure", tag("div", picture, class_="scroll"), tag("figcaption", *caption))


def folded(summary: str, *content: str) -> Html:
    """Details that are there to be opened; print shows them."""
    return tag("details", tag("summary", summary), *content)


def _cell(place: int, content: str, kind: str) -> Html:
    return tag("th", content, scope="row", class_=kind) if place == 0 else tag("td", content, class_=kind)


def _attribute(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")
