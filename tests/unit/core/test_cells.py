from hypothesis import given
from hypothesis import strategies as st

from core.cells import FORMULA_STARTS, safe_cell


@given(st.text())
def test_no_text_is_taken_for_a_formula(text):
    cell = safe_cell(text)
    assert not cell.startswith(FORMULA_STARTS)
    assert not {"\0", "\u202e", "\u2066"} & set(cell)


def test_an_ordinary_name_is_left_as_it_is():
    assert safe_cell("Điểm cầu Hướng Hóa") == "Điểm cầu Hướng Hóa"
    assert safe_cell("\u202e=1") == "'=1"
