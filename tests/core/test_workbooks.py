"""Workbooks hold every text as it is, none of them a formula, on as many sheets as it takes."""

from __future__ import annotations

import io
import zipfile

from python_calamine import CalamineWorkbook

from core import workbooks


def read(rows):
    data = b"".join(workbooks.portions(rows))
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return data, [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def test_every_cell_is_a_text_and_nothing_is_a_formula():
    rows = [
        ["Имя", "Почта"],
        ["=1+1", "@SUM(A1)"],
        ["+79991234567", "007"],
        ['<b>&"', "x" * 40_000],
    ]
    data, (sheet,) = read(rows)
    assert sheet[:3] == rows[:3]
    assert sheet[3] == ['<b>&"', "x" * 32_767]
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_more_rows_than_a_sheet_holds_go_on_in_another(monkeypatch):
    monkeypatch.setattr(workbooks, "ROWS_OF_A_SHEET", 3)
    rows = [[str(number)] for number in range(7)]
    _, sheets = read(iter(rows))
    assert [len(sheet) for sheet in sheets] == [3, 3, 1]
    assert [row for sheet in sheets for row in sheet] == rows


def test_without_rows_it_is_still_a_workbook():
    assert read([])[1] == [[]]
