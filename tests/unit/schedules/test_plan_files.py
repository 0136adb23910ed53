import io
import os
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid, NotFound
from schedules.plans import files
from schedules.plans.file_store import FileStore
from schedules.plans.files import Judged, clean_name, judge
from tests.unit.schedules.plan_files import office, pdf, types


def verdict(content, name):
    """The code for which a file is refused, or what it is."""
    try:
        return judge(io.BytesIO(content), name).kind
    except Invalid as refused:
        assert refused.message % refused.params
        return refused.code


@pytest.mark.parametrize(
    "content, name, kind",
    [
        (pdf(), "Bài giảng.pdf", "pdf"),
        (pdf(), "BAI.PDF", "pdf"),
        (office("pptx"), "Bài 1.pptx", "pptx"),
        (office("docx"), "Đề cương.v2.docx", "docx"),
        (office("pptx", deflate=False), "a.pptx", "pptx"),
    ],
)
def test_the_three_kinds_are_known_by_their_bytes(content, name, kind):
    assert verdict(content, name) == kind


@pytest.mark.parametrize(
    "content, name, code",
    [
        (b"", "a.pdf", "plan.empty_file"),
        (b"MZ\x90\x00 a program", "a.pdf", "plan.unknown_type"),
        (b"<html><script>", "a.pdf", "plan.unknown_type"),
        (b"  " + pdf(), "a.pdf", "plan.unknown_type"),
        (pdf(), "a.pptx", "plan.wrong_type"),
        (pdf(), "a", "plan.wrong_type"),
        (pdf(), "a.pdf.exe", "plan.wrong_type"),
        (office("docx"), "a.pptx", "plan.wrong_type"),
        (office("pptx"), "a.zip", "plan.wrong_type"),
        (pdf()[:-40], "a.pdf", "plan.damaged"),
        (pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 9 0 R"), "a.pdf", "plan.encrypted"),
        (pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt<</V 1>>"), "a.pdf", "plan.encrypted"),
        (office()[:-30], "a.pptx", "plan.damaged"),
        (office("pptx", parts={"ppt/vbaProject.bin": b"x"}), "a.pptx", "plan.macros"),
        (office("pptx", "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml"), "a.pptx", "plan.macros"),
        (office("docx", "application/vnd.ms-word.document.macroEnabled.main+xml"), "a.docx", "plan.macros"),
        (office("docx", more='<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>'), "a.docx", "plan.macros"),
        (office("pptx"), "a.pptm", "plan.macros"),
        (office("docx"), "a.DOCM", "plan.macros"),
        (office("pptx", without=["[Content_Types].xml"]), "a.pptx", "plan.other_zip"),
        (office("pptx", without=["_rels/.rels"]), "a.pptx", "plan.other_zip"),
        (office("pptx", without=["ppt/presentation.xml"]), "a.pptx", "plan.other_zip"),
        (office("pptx", "application/octet-stream"), "a.pptx", "plan.other_zip"),
        (office("pptx", parts={"word/document.xml": "<x/>"}), "a.pptx", "plan.other_zip"),
        (office("pptx", parts={"../../etc/cron.d/x": "x"}), "a.pptx", "plan.damaged"),
        (office("pptx", parts={"/etc/x": "x"}), "a.pptx", "plan.damaged"),
        (office("pptx", parts={"PPT/Presentation.xml": "x"}), "a.pptx", "plan.damaged"),
        (office("pptx", parts={"[Content_Types].xml": '<!DOCTYPE x [<!ENTITY a "b">]>' + types()}), "a.pptx", "plan.damaged"),
        (office("pptx", parts={"[Content_Types].xml": "not xml"}), "a.pptx", "plan.damaged"),
        (office("pptx", parts={"ppt/slides/slide1.xml": b"0" * 3_000_000}), "a.pptx", "plan.bomb"),
        (office("pptx", parts={f"ppt/{n}.xml": "" for n in range(files.PARTS_MAX)}), "a.pptx", "plan.bomb"),
        (files.COMPOUND_START + bytes(900) + "EncryptedPackage".encode("utf-16-le") + bytes(99), "a.pptx", "plan.encrypted"),
        (files.COMPOUND_START + bytes(900) + "PowerPoint Document".encode("utf-16-le"), "a.ppt", "plan.old_format"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_its_own_reason(content, name, code):
    assert verdict(content, name) == code


def test_a_locked_part_and_a_lying_directory_are_found():
    content = bytearray(office(parts={"ppt/a.xml": "<a/>" * 50}, deflate=False))
    directory = content.find(b"PK\x01\x02")
    locked = bytearray(content)
    locked[directory + 8] |= 1
    assert verdict(bytes(locked), "a.pptx") == "plan.encrypted"
    broken = content.replace(b"<a/><a/>", b"<b/><a/>", 1)  # the checksum no longer fits
    assert verdict(bytes(broken), "a.pptx") == "plan.damaged"


def test_parts_that_share_their_bytes_are_a_bomb():
    parts = [zipfile.ZipInfo(f"{n}.bin") for n in range(3)]
    for part in parts:
        part.file_size = part.compress_size = files.SIZE_MAX // 2
    with pytest.raises(Invalid, match=r"plan\.bomb"):
        files._check_directory(parts)


def test_pages_are_counted_once_wherever_a_piece_ends(monkeypatch):
    content = pdf(pages=7)
    for size in range(90, 160):
        monkeypatch.setattr(files, "CHUNK", size)
        assert judge(io.BytesIO(content), "a.pdf") == Judged("pdf", 7)
    monkeypatch.setattr(files, "CHUNK", 100)
    lock = pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 9 0 R")
    for padding in range(100):
        shifted = lock.replace(b"%PDF-1.4\n", b"%PDF-1.4\n%" + b"x" * padding + b"\n")
        assert verdict(shifted, "a.pdf") == "plan.encrypted"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([pdf(), office("pptx"), office("docx")]), st.data())
def test_broken_bytes_are_judged_and_never_crash(content, data):
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(0, len(broken)))])
    for name in ("a.pdf", "a.pptx", "a.docx"):
        assert verdict(cut, name) in ("pdf", "pptx", "docx") or verdict(cut, name).startswith("plan.")


@pytest.mark.parametrize(
    "name, cleaned",
    [
        ("C:\\Users\\hoa\\Bài 1.pptx", "Bài 1.pptx"),
        ("../../../etc/passwd", "passwd"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie: x.pdf"),
        ("fdp.\u202exe.pdf", "fdp.xe.pdf"),
        ("...", "file"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_name_is_a_name_and_no_path(name, cleaned):
    assert clean_name(name) == cleaned


# ---- the store ---------------------------------------------------------------------------------


class Endless:
    """A source that gives zeros and counts what was taken."""

    def __init__(self, size, start=b""):
        self.left, self.taken, self.start = size, 0, start

    def read(self, size, /):
        give = min(size, self.left)
        self.left -= give
        self.taken += give
        start, self.start = self.start, b""
        return (start + bytes(give))[:give]


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "plans")


def test_a_file_is_kept_under_its_digest_once(store):
    kept = store.keep(io.BytesIO(pdf(2)), "thư mục/Bài 1.pdf")
    assert (kept.name, kept.kind, kept.pages, kept.size) == ("Bài 1.pdf", "pdf", 2, len(pdf(2)))
    assert store.path(kept.sha256).read_bytes() == pdf(2)
    assert store.keep(io.BytesIO(pdf(2)), "b.pdf").sha256 == kept.sha256
    assert [path.name for path in store.folder.iterdir()] == [kept.sha256]
    assert store.path(kept.sha256).stat().st_mode & 0o077 == 0


def test_a_refused_file_leaves_nothing(store):
    with pytest.raises(Invalid, match=r"plan\.unknown_type"):
        store.keep(io.BytesIO(b"MZ a program"), "a.pdf")
    assert list(store.folder.iterdir()) == []


def test_200_megabytes_are_refused_while_they_come_without_filling_memory(store):
    source = Endless(200 * files.MEGABYTE, b"%PDF-1.4")
    tracemalloc.start()
    with pytest.raises(Invalid, match=r"plan\.too_large"):
        store.keep(source, "a.pdf")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert source.taken <= files.SIZE_MAX + files.CHUNK
    assert peak < 5 * files.MEGABYTE
    assert list(store.folder.iterdir()) == []


def test_what_a_crash_left_half_goes_after_a_day(store):
    store.folder.mkdir()
    old, new = store.folder / "arriving-old", store.folder / "arriving-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    store.keep(io.BytesIO(pdf()), "a.pdf")
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("digest", ["../../etc/passwd", "0" * 64, "", "arriving-new"])
def test_only_digests_are_looked_up(store, digest):
    with pytest.raises(NotFound):
        store.path(digest)
