"""Lists from files: what people save as CSV and XLSX is read, matched to cards, and what does not fit is told."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
import sqlalchemy as sa
from support.segment_portal import NOW, Maker, stored

from integration.mirror import Address, Company, Contact
from segments.members import importing, lists, membership, saving, sheets
from segments.members.importing import BadFile, Meaning, Refusal
from segments.rules.tree import Kind
from segments.saved import How, Why

WORDS = {"row": "Строка", "reason": "Почему", **{each.value: each.value for each in Refusal}}


@pytest.fixture
def crm(session):
    portal_id = stored(session, Maker(3).rows()).portal_id
    mine = (Address.portal_id == portal_id,)
    session.execute(sa.delete(Address).where(*mine))
    alive = {"deleted_at": None}
    session.execute(sa.update(Contact).where(Contact.portal_id == portal_id).values(**alive))
    session.execute(sa.update(Company).where(Company.portal_id == portal_id).values(**alive))
    people = {
        1: ("Анна", "Ёлкина"),
        2: ("Пётр", "Ёлкин"),
        3: ("Пётр", "Иванов"),
        4: ("Пётр", "Иванов"),
    }
    for number in range(1, 13):
        name, last = people.get(number, (None, None))
        session.execute(
            sa.update(Contact)
            .where(Contact.portal_id == portal_id, Contact.bitrix_id == number)
            .values(name=name, last_name=last, second_name=None)
        )
    for entity, number, kind, value in (
        ("contact", 1, "email", "anna@mail.ru"),
        ("company", 1, "email", "anna@mail.ru"),
        ("contact", 2, "email", "family@mail.ru"),
        ("contact", 3, "email", "family@mail.ru"),
        ("contact", 3, "phone", "+79161234567"),
        ("company", 2, "phone", "+74951112233"),
    ):
        session.add(
            Address(
                portal_id=portal_id, entity=entity, entity_id=number, kind=kind, value=value,
                position=0, normalised=value,
            )
        )  # fmt: skip
    session.flush()
    made = saving.create(session, portal_id, "список", None, how=How.STATIC)
    return portal_id, made.id


def listed(session, crm, data, filename="список.csv", **how):
    """Import by the guessed columns; (outcome, members)."""
    how.setdefault("mapping", importing.look(session, crm[0], data, filename).mapping)
    outcome = importing.import_list(session, *crm, data, filename, **how)
    rows = session.execute(membership.present(*crm))
    return outcome, {(kind, number) for kind, number in rows}


def xlsx(rows, strings=True):
    """A workbook as small as Excel opens it."""
    texts: list[str] = []
    lines = []
    for y, row in enumerate(rows, 1):
        cells = []
        for x, value in enumerate(row):
            at = f"{chr(65 + x)}{y}"
            if isinstance(value, int | float):
                cells.append(f'<c r="{at}"><v>{value}</v></c>')
            elif value:
                texts.append(value)
                cells.append(f'<c r="{at}" t="s"><v>{len(texts) - 1}</v></c>')
        lines.append(f'<row r="{y}">{"".join(cells)}</row>')
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    return packed(f"<sheetData>{''.join(lines)}</sheetData>", shared)


def packed(sheet, shared=""):
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="L" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}">{sheet}</worksheet>',
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


ROWS = "E-mail{d}Комментарий\nAnna@Mail.ru{d}да\n\nниктo{d}x\nnobody@mail.ru{d}y\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_csv_that_office_programs_write_is_read(session, crm, encoding, delimiter):
    data = ROWS.format(d=delimiter).replace("никтo", "никто").encode(encoding)
    outcome, members = listed(session, crm, data)
    assert members == {("contact", 1)}
    assert (outcome.rows, outcome.found, outcome.entered, outcome.already) == (3, 1, 1, 0)
    assert [(each.row, each.reason) for each in outcome.refused] == [
        (4, Refusal.INVALID),
        (5, Refusal.UNKNOWN),
    ]
    assert outcome.refused[0].cells == ("никто", "x")


def test_a_workbook_is_read_with_numbers_as_people_see_them(session, crm):
    data = xlsx(
        [
            ["ID", "ФИО", "Телефон"],
            [2, "", ""],
            ["", "", 79161234567],
            [7.0, "", ""],
            ["", "Анна Ёлкина", ""],
        ]
    )
    preview = importing.look(session, crm[0], data, "список.xlsx")
    assert preview.headers == ("ID", "ФИО", "Телефон")
    assert preview.mapping == {Meaning.ID: 0, Meaning.NAME: 1, Meaning.PHONE: 2}
    assert preview.rows == 4
    outcome, members = listed(session, crm, data, "список.xlsx")
    assert members == {("contact", number) for number in (1, 2, 3, 7)}
    assert outcome.refused == ()


def test_each_row_gets_its_card_or_its_reason(session, crm):
    data = (
        "Имя;Телефон;Почта;Ид\n"
        ";;;999\n"  # no such card
        ";;;12x\n"  # no id
        ";;;1\n"  # Anna
        ";;anna@mail.ru;\n"  # Anna again: a contact goes before a company
        ";;family@mail.ru;\n"  # two people have it
        "Ёлкин Пётр;;family@mail.ru;\n"  # the name tells which
        ";8 (916) 123-45-67;family@mail.ru;\n"  # so does a phone
        ";+7 495 111-22-33;;\n"  # a company's
        "пётр  иванов;;;\n"  # two of that name
        "Никто Никакой;;;\n"
        ";;;\n"
        '" ";"-";;\n'
    ).encode()
    outcome, members = listed(session, crm, data)
    assert members == {("contact", 1), ("contact", 2), ("contact", 3), ("company", 2)}
    assert [(each.row, each.reason) for each in outcome.refused] == [
        (2, Refusal.UNKNOWN),
        (3, Refusal.INVALID),
        (5, Refusal.TWICE),
        (6, Refusal.SEVERAL),
        (10, Refusal.SEVERAL),
        (11, Refusal.UNKNOWN),
        (13, Refusal.INVALID),
    ]


def test_ids_are_of_the_kind_asked_for_and_deleted_cards_unknown(session, crm):
    session.execute(
        sa.update(Company)
        .where(Company.portal_id == crm[0], Company.bitrix_id == 3)
        .values(deleted_at=NOW)
    )
    outcome, members = listed(session, crm, b"ID\n1\n3\n", kind=Kind.COMPANY)
    assert members == {("company", 1)}
    assert [each.reason for each in outcome.refused] == [Refusal.UNKNOWN]
    again, _ = listed(session, crm, b"ID\n1\n2\n", kind=Kind.COMPANY)
    assert (again.entered, again.already) == (1, 1)
    story = lists.history(session, *crm)
    assert {each.why for each in story} == {Why.IMPORT}


def test_the_columns_chosen_once_are_guessed_next_time(session, crm):
    data = "Куда писать;Прочее\nanna@mail.ru;1\n".encode()
    assert importing.look(session, crm[0], data, "a.csv").mapping == {}
    with pytest.raises(importing.NothingMapped):
        importing.import_list(session, *crm, data, "a.csv", {})
    importing.import_list(session, *crm, data, "a.csv", {Meaning.EMAIL: 0})
    other = "Прочее;КУДА ПИСАТЬ\n1;anna@mail.ru\n".encode()
    assert importing.look(session, crm[0], other, "b.csv").mapping == {Meaning.EMAIL: 1}


def test_refused_rows_come_back_as_a_file_without_formulas(session, crm):
    data = 'Почта;Заметка\n=1+1;"=HYPERLINK(""http://x"")"\n+7@x;+7 916\n'.encode()
    listed(session, crm, data, "Мой файл.csv")
    done = importing.last_import(session, *crm)
    assert (done.filename, done.rows, done.found) == ("Мой файл.csv", 2, 0)
    text = importing.refused_csv(done, WORDS).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert lines == [
        ["Строка", "Почему", "Почта", "Заметка"],
        ["2", "invalid", "'=1+1", '\'=HYPERLINK("http://x")'],
        ["3", "invalid", "'+7@x", "+7 916"],
    ]


def test_only_a_list_of_this_portal_takes_a_file(session, crm):
    dynamic = saving.create(session, crm[0], "D", {"version": 1, "leads": {}})
    with pytest.raises(lists.NotStatic):
        importing.import_list(session, crm[0], dynamic.id, b"ID\n1\n", "a.csv", {Meaning.ID: 0})
    other = stored(session, Maker(4).rows()).portal_id
    with pytest.raises(saving.NoSuchSegment):
        importing.import_list(session, other, crm[1], b"ID\n1\n", "a.csv", {Meaning.ID: 0})


def refusal(data, filename="a.csv"):
    with pytest.raises(BadFile) as refused:
        sheets.rows_of(data, filename)
    return refused.value.code


def test_files_that_are_no_lists_are_refused(monkeypatch):
    assert refusal(b"") == refusal(b"  \n ") == refusal(b"ID\n") == "empty"
    assert refusal(b"\xd0\xcf\x11\xe0rest", "old.xls") == "not_a_table"
    assert refusal(b"not a zip", "list.xlsx") == "not_a_table"
    assert refusal(b"PK\x03\x04broken", "list.xlsx") == "damaged"
    assert refusal(b"ID\0\n1\n") == "encoding"
    assert refusal(b"ID\n" + b"1\n" * (sheets.MAX_ROWS + 1)) == "too_many_rows"
    assert refusal(b'"' + b"x" * 200_000 + b"\n") == "damaged"
    assert refusal(b"1" * (sheets.MAX_BYTES + 1)) == "too_big"
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    assert refusal(small.getvalue(), "list.xlsx") == "damaged"


def test_bombs_do_not_go_off():
    """Two cells a sheet apart; many megabytes in a few bytes; one long text in every cell."""
    corners = ("A1", "XFD1048576")
    spread = [f'<row r="{at.strip("AXFD")}"><c r="{at}"><v>1</v></c></row>' for at in corners]
    assert refusal(packed(f"<sheetData>{''.join(spread)}</sheetData>"), "a.xlsx") == "too_big"
    cells = "".join('<c t="s"><v>0</v></c>' for _ in range(16))
    inflating = packed(
        f"<sheetData><row>{cells}</row></sheetData>", f"<si><t>{'x' * 2**26}</t></si>"
    )
    assert len(inflating) < 2**20
    assert refusal(inflating, "a.xlsx") == "too_big"
    row = "".join('<c t="s"><v>0</v></c>' for _ in range(20))
    repeated = packed(
        f"<sheetData>{f'<row>{row}</row>' * 3000}</sheetData>", f"<si><t>{'x' * 32_000}</t></si>"
    )
    assert refusal(repeated, "a.xlsx") == "too_big"
