"""The packages that the locks name and the licences their makers state: `python -m tests.licences` writes the list."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
LISTED = ROOT / "docs" / "licences.md"
LOCKS = {"service": "requirements.lock", "training": "requirements-training.lock"}
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.MULTILINE)
INTRODUCTION = """\
# Licences

What the images hold beside this software, which is under the [MIT licence](../LICENSE), and beside their base images.
Licences are those that the packages state of themselves, in SPDX's terms where they do so. Versions are in the
locks, and in the bills of materials that `make sbom` makes of them. `make licences` remakes this list.

psycopg, the driver of PostgreSQL, is under the LGPL: it is used unchanged, as a library that can be replaced.

| package | licence | in |
| --- | --- | --- |
"""


def packages() -> dict[str, list[str]]:
    """Every package in the locks, and the images that hold it."""
    found: dict[str, list[str]] = {}
    for image, lock in LOCKS.items():
        for name in sorted(set(PINNED.findall((ROOT / lock).read_text("utf-8")))):
            found.setdefault(name, []).append(image)
    return dict(sorted(found.items()))


def licence(package: str) -> str:
    """What an installed package states; empty where it states nothing. Raises PackageNotFoundError."""
    stated = metadata(package)
    return next(_statements(stated), "")


def listed() -> str:
    """The list as it stands in the documents."""
    rows = (f"| {name} | {licence(name)} | {', '.join(images)} |" for name, images in packages().items())
    return INTRODUCTION + "\n".join(rows) + "\n"


def _statements(stated: PackageMetadata) -> Iterator[str]:
    yield from stated.get_all("License-Expression") or ()
    # Some put the whole text there.
    yield from (text for text in stated.get_all("License") or () if text and "\n" not in text)
    classifiers = stated.get_all("Classifier") or ()
    yield from (one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: "))


if __name__ == "__main__":
    LISTED.write_text(listed(), "utf-8")
