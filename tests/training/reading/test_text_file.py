import gzip
from pathlib import Path

import pytest
from backports import zstd

from tests.training.reading.tables import CELLS, HEADER, ROWS, cells, only, opened, saved
from training.errors import UnreadableSource
from training.reading import text_file
from training.reading.source import open_file
from training.workspace import Workspace

LINES = (HEADER, *ROWS)


def with_names(*names: str) -> str:
    """A table in which these are the names of clients."""
    return f"{HEADER}\n" + "".join(f"{at},{name},2024-01-05,10\n" for at, name in enumerate(names))


# Line ends


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(LINES),
        "\r\n".join(LINES) + "\r\n",
        "\r".join(LINES),
        "\r".join(LINES) + "\r\n",
        "\r\n".join(LINES[:2]) + "\r\n" + "\n".join(LINES[2:]) + "\n",
        "\n".join(LINES[:2]) + "\n" + "\r\n".join(LINES[2:]) + "\r\n",
        "\r\r\n".join(LINES),
        "\r\n".join(LINES) + "\r",
        "\n\n" + "\n\n".join(LINES) + "\n\n\n",
        "\r\n".join(LINES) + "\r\n\x1a",
    ],
)
def test_lines_end_in_any_way(workspace: Workspace, tmp_path: Path, content: str) -> None:
    assert cells(only(opened(tmp_path / "a.csv", content, workspace))) == CELLS


def test_a_line_end_that_chunks_cut_in_two_is_one(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "CHUNK", len(HEADER) + 1)
    file = saved(tmp_path / "a.csv", "\r\n".join(LINES) + "\r\n")
    assert text_file.open_text_file(file, workspace).path.resolve() == file
    assert cells(only(open_file(file, workspace))) == CELLS


def test_a_quoted_value_keeps_its_line_ends(workspace: Workspace, tmp_path: Path) -> None:
    content = f'{HEADER}\r\n1,"k\n1",2024-01-05,10\r\n'
    assert cells(only(opened(tmp_path / "a.csv", content, workspace)))[0][1] == "k\n1"


def test_nuls_are_left_out_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    content = "\n".join(LINES).replace("k2", "k\0\x002\0")
    source = opened(tmp_path / "a.csv", content, workspace)
    assert cells(only(source)) == CELLS
    assert "a.csv: 3 NUL characters left out of the text." in source.notes


# Encodings


@pytest.mark.parametrize(
    ("encoding", "called", "names"),
    [
        ("utf-8", "UTF-8", ["Grüße", "♥"]),
        ("utf-8-sig", "UTF-8", ["Grüße", "♥"]),
        ("utf-16", "UTF-16", ["Grüße", "♥"]),
        ("utf-16-le", "UTF-16", ["Grüße", "♥"]),
        ("utf-16-be", "UTF-16", ["Иван", "東京"]),
        ("latin-1", "ISO-8859-1", ["£5", "Señora", "CAFÉ"]),
        ("cp1252", "Windows-1252", ["“5 €”", "Women’s", "Crème brûlée"]),
        ("cp1252", "Windows-1252", ["Œuvre", "für 5 €", "LEGO®"]),
        ("mac_roman", "Mac Roman", ["Crème brûlée", "Zürich"]),
        ("mac_roman", "Mac Roman", ["Weiß", "Österreich"]),
        ("cp1251", "Windows-1251", ["Кружка"]),
        ("cp1251", "Windows-1251", ["Иван", "Ёлочная игрушка", "МОСКВА"]),
        ("koi8-r", "KOI8-R", ["Кружка", "Подарочный набор"]),
        ("cp1253", "Windows-1253", ["Ελλάδα", "Καφές", "Γυαλί"]),
        ("cp932", "Shift JIS", ["コーヒーカップ", "東京都"]),
        ("cp932", "Shift JIS", ["コーヒーカップ"]),
        ("gbk", "GB 18030", ["红色礼品盒", "杯子"]),
        ("cp850", "code page 850", ["Grüße", "Café"]),
    ],
)
def test_the_encoding_is_found_from_a_few_words(
    workspace: Workspace, tmp_path: Path, encoding: str, called: str, names: list[str]
) -> None:
    source = opened(tmp_path / "a.csv", with_names(*names).encode(encoding), workspace)
    assert [row[1] for row in cells(only(source))] == names
    assert f"a.csv: {called}, fields separated by ','." in source.notes


def test_what_only_a_late_line_tells_decides(workspace: Workspace, tmp_path: Path) -> None:
    content = with_names(*["plain"] * 60_000, "Кружка", "Подарочный набор").encode("cp1251")
    assert len(content) > text_file.CHUNK
    assert cells(only(opened(tmp_path / "a.csv", content, workspace)))[-1][1] == "Подарочный набор"


# What is no text


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither a text file nor .* Export the purchases as CSV"),
        (b"SQLite format 3\0" + bytes(84), "SQLite database; give its URL"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF document; export the table"),
        (b"Rar!\x1a\x07\x01\0", "RAR archive; unpack it"),
        (bytes(range(256)) * 8, "neither a text file"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", mtime=0), "neither a text file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4], "damaged or cut short. Get it anew."),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(
    workspace: Workspace, tmp_path: Path, content: bytes, advice: str
) -> None:
    with pytest.raises(UnreadableSource, match=advice):
        opened(tmp_path / "a.csv", content, workspace)


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_file_made_to_fill_the_disk_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: object
) -> None:
    assert callable(compress)
    monkeypatch.setattr(text_file, "UNPACKED_AT_LEAST", 1 << 20)
    with pytest.raises(UnreadableSource, match="100 times its size"):
        opened(tmp_path / "a.csv.gz", compress(b"1,2\n" * (4 << 20)), workspace)
