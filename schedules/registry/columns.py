"""The columns of the registry's sheets: how they are headed, what goes into them, and an example of it. Pure.

The page, the templates and the parser all read this. Words that the parser knows, such as those of roles, are
translated in examples; names are not.
"""

from dataclasses import dataclass
from typing import Literal

from core.errors import N_
from schedules.registry.records import Kind
from schedules.rosters import nominations

Need = Literal["always", "new", "never"]  # new: for what the registry does not have yet


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    title: its heading in templates; words: headings that are understood, without marks, signs and brackets, as
    `heading_key` gives them; hint: how its cells are written; examples: its cells in the two rows of the template;
    choices: words that its cells are made of; width: characters, 0: not in the template; whole: whole numbers.
    """

    name: str
    title: str
    words: str
    hint: str
    examples: tuple[str, str]
    width: int
    need: Need = "never"
    choices: tuple[str, ...] = ()
    whole: bool = False

    @property
    def example(self) -> str:
        """Return the cell that the page shows."""
        return next(filter(None, self.examples))


_PHONES = nominations.HEADINGS["phone"]
_EMAILS = nominations.HEADINGS["email"]
_CODE_HINT = N_("Any signs, at most 60. A known code changes what has it, a new one adds to the registry.")
_ORG_HINT = N_("Code or full name of an organisation of the registry.")
_PHONE_HINT = N_("8 to 15 digits, with or without spaces and dots; + may stand in front.")
_EMAIL_HINT = N_("One address.")
_FREE_HINT = N_("In your own words.")

_ORGANISATIONS = (
    Column(
        "code", N_("Code"), "ma, ma don vi, ma so, ma dinh danh, code, unit code, organisation code",
        _CODE_HINT, ("VD-T01", "VD-X01"), 14, "always",
    ),
    Column(
        "name", N_("Name of the organisation"),
        "ten, ten don vi, don vi, ten to chuc, ten co quan, co quan, "
        "name, name of the organisation, organisation, organization, unit",
        N_("The full official name."), ("Ủy ban nhân dân tỉnh An Giang", "Ủy ban nhân dân xã Ba Chúc"), 40, "always",
    ),
    Column(
        "tier", N_("Tier"), "cap, cap hanh chinh, loai, loai don vi, cap don vi, tier, level, type",
        _FREE_HINT, ("tỉnh", "xã"), 14,
    ),
    Column(
        "parent", N_("Parent organisation"),
        "don vi cap tren, cap tren, truc thuoc, don vi cha, don vi chu quan, thuoc don vi, ma cap tren, "
        "ma don vi cap tren, parent, parent organisation, parent code, belongs to",
        N_("Code or full name of the organisation above, which may be another row of this sheet."),
        ("", "VD-T01"), 36,
    ),
)  # fmt: skip
_POINTS = (
    Column(
        "code", N_("Code"), "ma, ma diem cau, ma diem, ma so, code, point code",
        _CODE_HINT, ("VD-DC01", "VD-DC02"), 14, "always",
    ),
    Column(
        "name", N_("Name of the bridge point"),
        "ten, ten diem cau, diem cau, ten diem, name, name of the bridge point, bridge point, point",
        N_("As timetables are to show it."), ("Điểm cầu tỉnh An Giang", "Điểm cầu xã Ba Chúc"), 30, "always",
    ),
    Column(
        "place", N_("Address"), "dia chi, dia diem, noi dat, address, place, location",
        _FREE_HINT, ("Số 1 đường Lê Lợi", "Ấp An Định"), 32,
    ),
    Column(
        "capacity", N_("Seats"), "so cho, so cho ngoi, so ghe, suc chua, seats, capacity",
        N_("Seats of the whole bridge point, as a whole number."), ("160", "40"), 10, whole=True,
    ),
    Column(
        "org", N_("Organisation"),
        "don vi, don vi quan ly, truc thuoc, thuoc don vi, ma don vi, organisation, organization, unit",
        _ORG_HINT, ("VD-T01", "VD-X01"), 36, "new",
    ),
    Column(
        "zone", N_("Time zone"), "mui gio, time zone, timezone, zone",
        N_("Only where it is not the time zone of the whole system: its name in the IANA list."),
        ("", "Asia/Ho_Chi_Minh"), 20,
    ),
    Column(
        "contact_name", N_("Contact person"),
        "nguoi lien he, dau moi, dau moi lien he, nguoi phu trach, can bo phu trach, "
        "contact, contact name, contact person",
        N_("Full name of whom to call."), ("Trần Văn Bình", "Nguyễn Thị Hoa"), 24,
    ),
    Column(
        "contact_phone", N_("Phone number"), _PHONES + ", dien thoai lien he, contact phone",
        _PHONE_HINT, ("0912 345 678", "0987 654 321"), 18,
    ),
    Column(
        "contact_email", N_("Email"), _EMAILS + ", email lien he, contact email",
        _EMAIL_HINT, ("binh@example.com", "hoa@example.com"), 24,
    ),
    Column(
        "halls", N_("Halls"), "phong, hoi truong, cac hoi truong, phong hoc, cac phong, halls, hall, rooms",
        N_(
            "Name of the hall, then its seats in brackets; semicolons between several halls. "
            "They replace the halls known before."
        ),
        ("Hội trường A (120); Phòng họp 2 (40)", "Hội trường (40)"), 36,
    ),
    Column(
        "operators", N_("Operators"),
        "phu trach diem cau, nguoi phu trach diem cau, phu trach ky thuat, ky thuat vien, can bo ky thuat, "
        "operators, operator",
        N_("Code or full name of a person of the registry; semicolons between several."),
        ("VD-CB01; VD-CB02", "VD-CB02"), 28,
    ),
)  # fmt: skip
_EQUIPMENT = (
    Column(
        "code", N_("Code"), "ma, ma thiet bi, ma bo thiet bi, ma so, so hieu, code, equipment code",
        _CODE_HINT, ("VD-TB01", "VD-TB02"), 14, "always",
    ),
    Column(
        "name", N_("Name of the set"),
        "ten, ten thiet bi, ten bo thiet bi, bo thiet bi, thiet bi, name, name of the set, equipment",
        N_("As timetables are to show it."), ("Bộ cầu truyền hình số 1", "Bộ thiết bị lưu động"), 32, "always",
    ),
    Column(
        "point", N_("Bridge point"),
        "diem cau, noi dat, dat tai, ma diem cau, vi tri, bridge point, point, location",
        N_("Code or name of the bridge point where the set stands. A new set without one is in store."),
        ("VD-DC01", ""), 30,
    ),
    Column(
        "note", N_("Note"), "ghi chu, mo ta, cau hinh, note, notes, description",
        _FREE_HINT, ("Camera PTZ, 2 micro không dây", "Bảo quản trong kho"), 40,
    ),
)  # fmt: skip
_PEOPLE = (
    Column(
        "code", N_("Staff code"), nominations.HEADINGS["code"],
        _CODE_HINT, ("VD-CB01", "VD-CB02"), 14, "always",
    ),
    Column(
        "name", N_("Full name"), nominations.HEADINGS["name"],
        N_("Family name first. Where a column has the family names, the given name alone."),
        ("Trần Văn Bình", "Nguyễn Thị Hoa"), 28, "always",
    ),
    Column(
        "family", N_("Family name"), nominations.HEADINGS["family"],
        N_("Only where family names and given names stand in two columns."), ("Trần Văn", "Nguyễn Thị"), 0,
    ),
    Column(
        "position", N_("Position"), nominations.HEADINGS["position"],
        _FREE_HINT, ("Phó Trưởng phòng", "Chuyên viên"), 24,
    ),
    Column(
        "email", N_("Email"), _EMAILS,
        _EMAIL_HINT, ("binh@example.com", "hoa@example.com"), 24,
    ),
    Column(
        "phone", N_("Phone number"), _PHONES,
        _PHONE_HINT, ("0912 345 678", "0987 654 321"), 18,
    ),
    Column(
        "org", N_("Organisation"), nominations.HEADINGS["org"] + ", ma don vi",
        _ORG_HINT, ("VD-T01", "VD-X01"), 36, "new",
    ),
    Column(
        "login", N_("Login"), "ten dang nhap, tai khoan, login, username, user name, account",
        N_("Without spaces. Nobody can sign in before an administrator sets a password."),
        ("vd.binh", "vd.hoa"), 18,
    ),
    Column(
        "roles", N_("Roles"), "vai tro, quyen, role, roles",
        N_("One or several, with commas between. A new person without any is a learner."),
        (N_("Lecturer, Organiser"), N_("Operator")), 24,
        choices=(N_("Administrator"), N_("Organiser"), N_("Lecturer"), N_("Operator"), N_("Learner"), N_("Observer")),
    ),
    Column(
        "employment", N_("Employment"),
        "hinh thuc, loai giang vien, co huu kiem chuc, che do, employment, full or part time",
        N_("Of lecturers, one of the two. A new one without is full-time."), (N_("Part-time"), ""), 14,
        choices=(N_("Full-time"), N_("Part-time")),
    ),
    Column(
        "qualification", N_("Qualification"),
        "trinh do, hoc ham hoc vi, hoc vi, trinh do chuyen mon, chuyen mon, qualification, degree",
        _FREE_HINT, ("Thạc sĩ Quản lý công", ""), 24,
    ),
    Column(
        "hours_max", N_("Hours a year"),
        "so gio nam, so gio, dinh muc gio, dinh muc gio moi nam, dinh muc, gio chuan, "
        "hours a year, hours per year, hours",
        N_("The most that a lecturer is to teach in a calendar year, as a whole number."), ("120", ""), 14, whole=True,
    ),
    Column(
        "topics", N_("Topics"), "chuyen de, day chuyen de, cac chuyen de, topics, topic",
        N_(
            "Topics that the lecturer teaches, with semicolons between. "
            "If several courses have a topic of the same title, write: course: topic."
        ),
        ("Chuyển đổi số; Đạo đức công vụ", ""), 36,
    ),
    Column(
        "windows", N_("Weekly hours"),
        "gio day, gio nhan day, gio co the giang trong tuan, lich ranh, thoi gian day, weekly hours, availability",
        N_(
            "A day, then its hours with commas between; semicolons between days. "
            "Days are written: Mon, Tue, Wed, Thu, Fri, Sat, Sun."
        ),
        (N_("Mon 07:30–11:30, 13:30–17:00; Thu 08:00–10:00"), ""), 40,
    ),
)  # fmt: skip
COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "organisations": _ORGANISATIONS,
    "points": _POINTS,
    "equipment": _EQUIPMENT,
    "people": _PEOPLE,
}
NUMBERS = frozenset(column.name for columns in COLUMNS.values() for column in columns if column.whole)
