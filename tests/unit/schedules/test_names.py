import random

from schedules.names import person_key, place_key


def test_places_stand_in_the_order_of_the_vietnamese_alphabet() -> None:
    ordered = [
        "A Lưới",
        "Anh Sơn",
        "Ba Đồn",
        "Cam Lộ",
        "Dốc Miếu",
        "Đakrông",
        "Đông Hà",
        "Gio Linh",
        "Hải Lăng",
        "Hướng Hóa",
        "Vĩnh Linh",
    ]
    mixed = random.Random(1).sample(ordered, len(ordered))
    assert sorted(mixed, key=place_key) == ordered


def test_people_stand_by_their_given_name() -> None:
    names = ["Trần Thị Mai", "Nguyễn Văn An", "Lê Thu Hà", "Bùi Văn An"]
    assert sorted(names, key=person_key) == ["Bùi Văn An", "Nguyễn Văn An", "Lê Thu Hà", "Trần Thị Mai"]


def test_a_name_of_blanks_still_has_a_place() -> None:
    assert sorted(["Mai", " "], key=person_key) == [" ", "Mai"]
