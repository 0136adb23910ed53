"""`python -m bench.roster`: how long a sheet of 5,000 nominations takes, from the uploaded bytes to the roster.

Prints one line of JSON with seconds: for reading the .xlsx, for the first import, for the same sheet again.
The database is SQLite in a temporary folder, on whatever disk that is.
"""

import argparse
import io
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import openpyxl

from app.tables import metadata
from core.bus import EventBus
from core.clock import SystemClock
from core.db import Database
from schedules.records import NewUser
from schedules.rosters.roster_service import RosterService
from schedules.service import ScheduleService
from schedules.sheets.table import read_table

HEADER = ("STT", "Họ và tên", "Mã cán bộ", "Chức vụ", "Email", "Điện thoại", "Điểm cầu", "Đơn vị")
POINTS = 8


def workbook(rows: int) -> bytes:
    """Return an .xlsx with so many people, spread over the points."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEADER)
    for n in range(rows):
        where = f"Điểm {n % POINTS}", f"Xã {n % POINTS}"
        person = f"Nguyễn Văn {n:05}", f"CB{n:05}", "Công chức", f"cb{n}@example.vn", f"09{n:08}"
        sheet.append((n + 1, *person, *where))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def run(rows: int, folder: Path) -> dict[str, float | int]:
    """Read and import the sheet twice.  Returns the figures."""
    db = Database(f"sqlite:///{folder / 'bench.sqlite3'}")
    metadata().create_all(db.engine)
    schedules, rosters = ScheduleService(db, EventBus(), SystemClock()), RosterService(db, SystemClock())
    province = schedules.add_organisation("Tỉnh")
    for n in range(POINTS):
        schedules.add_point(f"Điểm {n}", schedules.add_organisation(f"Xã {n}", province))
    organiser = schedules.add_user(NewUser("tochuc", "-", "Tổ Chức", province, frozenset({"organiser"}))).id
    course = schedules.add_course("Bồi dưỡng", province).id
    data = workbook(rows)
    times = [time.perf_counter()]
    table = read_table(data, "danh sách.xlsx")
    times.append(time.perf_counter())
    first = rosters.import_sheet(course, table, organiser)
    times.append(time.perf_counter())
    again = rosters.import_sheet(course, table, organiser)
    times.append(time.perf_counter())
    db.engine.dispose()
    if (first.added, again.unchanged) != (rows, rows):
        raise SystemExit(f"not everybody came in: {first.problems[:3]}")
    read_s, first_s, again_s = (round(end - start, 2) for start, end in pairwise(times))
    return {"rows": rows, "bytes": len(data), "read_s": read_s, "import_s": first_s, "again_s": again_s}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(run(parser.parse_args().rows, Path(name))))
