import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest

from tests.training.reading.tables import CELLS, HEADER, ROWS, cells, only, opened
from training.errors import UnreadableSource
from training.reading import zip_file
from training.workspace import Workspace

CSV = "\n".join((HEADER, *ROWS))


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def workbook() -> bytes:
    book, target = openpyxl.Workbook(), io.BytesIO()
    for row in (HEADER.split(","), *CELLS):
        book.active.append(row)
    book.save(target)
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped({"orders.csv": CSV}),
        zipped({"data/2024/orders.csv": CSV}),
        zipped({"orders.csv": CSV, "README.md": "about the data", "__MACOSX/._orders.csv": "x"}),
        zipped({"orders.xlsx": workbook()}),
        zipped({"orders": CSV}),
        zipped({"orders.txt": CSV.replace(",", ";").encode("utf-16")}),
    ],
)
def test_the_one_file_of_data_inside_is_read(workspace: Workspace, tmp_path: Path, content: bytes) -> None:
    source = opened(tmp_path / "a.zip", content, workspace)
    assert cells(only(source)) == CELLS
    assert only(source).where.startswith("a.zip, orders")
    assert all(note.startswith("a.zip, orders") for note in source.notes)
    assert (source.name, source.bytes, source.sha256) == ("a.zip", len(content), hashlib.sha256(content).hexdigest())


def test_a_workbook_is_no_zip_file(workspace: Workspace, tmp_path: Path) -> None:
    assert only(opened(tmp_path / "a.zip", workbook(), workspace)).where == "a.zip, sheet 'Sheet'"


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (zipped({"a.csv": CSV, "b.csv": CSV}), r"holds 2 files: a\.csv, b\.csv\. Unpack it"),
        (
            zipped({"a.csv": CSV, "b.json": "[]", "c.txt": "x", "d.csv": "x", "e.csv": "x", "f.csv": "x"}),
            r"holds 6 files: .*, \.\.\.\.",
        ),
        (zipped({}), "damaged|empty"),
        (zipped({"a.zip": zipped({"a.csv": CSV})}), r"a\.zip is a zip file itself; unpack it"),
        (zipped({"a.csv": "1,2,3"}), r"^a\.zip: a\.csv: no row names the columns"),
        (zipped({"a.csv": CSV})[:-30], "damaged or cut short"),
        (zipped({"a.csv": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"}), r"^a\.zip: a\.csv: this is neither a text file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(
    workspace: Workspace, tmp_path: Path, content: bytes, advice: str
) -> None:
    with pytest.raises(UnreadableSource, match=advice):
        only(opened(tmp_path / "a.zip", content, workspace)).select({"price": "price"})


def test_a_zip_file_made_to_fill_the_disk_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_file, "UNPACKED_AT_LEAST", 1 << 20)
    with pytest.raises(UnreadableSource, match="100 times its size"):
        opened(tmp_path / "a.zip", zipped({"a.csv": b"1,2\n" * (4 << 20)}), workspace)
