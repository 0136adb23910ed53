import io
import os
import shutil
import time

import pytest

from schedules.plans.convert import FAILED, NO_CONVERTER, TIMED_OUT, Conversions, to_pdf
from schedules.plans.events import ConversionWanted
from schedules.plans.file_store import FileStore
from tests.unit.schedules.plan_files import office, pdf

MAKES = """#!/bin/sh
echo "$@" > "$LOGGED"
while [ "$1" != "--outdir" ]; do shift; done
mkdir -p "$2" && cp "{pdf}" "$2/plan.pdf"
"""
FAILS = "#!/bin/sh\nexit 3\n"
SAYS_NOTHING = "#!/bin/sh\nexit 0\n"  # LibreOffice ends so when it cannot read a file
MAKES_NONSENSE = """#!/bin/sh
while [ "$1" != "--outdir" ]; do shift; done
mkdir -p "$2" && echo no pdf > "$2/plan.pdf"
"""
HANGS = """#!/bin/sh
sleep 600 &
echo $! > "{pids}"
echo $$ >> "{pids}"
wait
"""


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "plans")


@pytest.fixture
def soffice(tmp_path, monkeypatch):
    """Puts a script on PATH as soffice."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "ready.pdf").write_bytes(pdf(4))

    def install(script):
        path = folder / "soffice"
        text = script.format(pdf=tmp_path / "ready.pdf", pids=tmp_path / "pids")
        path.write_text(text.replace("$LOGGED", str(tmp_path / "arguments")))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return install


def kept(store, kind="pptx"):
    return store.keep(io.BytesIO(office(kind)), f"a.{kind}")


def test_without_a_converter_the_problem_is_said(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert to_pdf(store, kept(store).sha256, "pptx") == (None, NO_CONVERTER)


def test_a_pdf_is_made_with_a_profile_of_its_own_and_kept(store, soffice):
    folder = soffice(MAKES)
    made, problem = to_pdf(store, kept(store).sha256, "pptx")
    assert problem == "" and (made.kind, made.pages) == ("pdf", 4)
    assert store.path(made.sha256).read_bytes() == pdf(4)
    said = (folder / "arguments").read_text()
    assert "-env:UserInstallation=file:///" in said and "--headless" in said
    assert "--convert-to pdf:impress_pdf_Export" in said and said.rstrip().endswith("plan.pptx")


@pytest.mark.parametrize("script", [FAILS, SAYS_NOTHING, MAKES_NONSENSE])
def test_a_failure_is_a_problem_and_no_error(store, soffice, script):
    soffice(script)
    source = kept(store, "docx")
    assert to_pdf(store, source.sha256, "docx") == (None, FAILED)
    assert [path.name for path in store.folder.iterdir()] == [source.sha256]


def gone(pid):
    """Whether a process is dead, as a zombie nobody waits for or altogether."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_takes_too_long_is_killed_with_its_children(store, soffice):
    folder = soffice(HANGS)
    assert to_pdf(store, kept(store).sha256, "pptx", timeout_s=1.0) == (None, TIMED_OUT)
    pids = [int(line) for line in (folder / "pids").read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while not all(map(gone, pids)) and time.monotonic() < deadline:
        os.sched_yield()
    assert all(map(gone, pids))


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_the_real_converter_opens_what_we_take(store):
    assert to_pdf(store, kept(store).sha256, "pptx")[1] in ("", FAILED)


class Notes:
    """Keeps what conversions bring."""

    def __init__(self, store, left=()):
        self.store, self.left, self.asked, self.said = store, list(left), None, []

    def converted(self, sha256, pdf, problem="", /):
        self.said.append((sha256, pdf and pdf.pages, problem))

    def unconverted(self, again=(), /):
        self.asked = again
        return self.left


def test_conversions_go_one_after_the_other_and_large_files_through_the_door_to_real_threads(store, soffice):
    soffice(MAKES)
    a, b = kept(store), kept(store, "docx")
    notes, through, spawned = Notes(store), [], []

    def offload(function, *args):
        through.append(function)
        return function(*args)

    line = Conversions(notes, offload, spawned.append)
    for _ in range(2):
        line.wanted(ConversionWanted(a.sha256, "pptx"))
    line.wanted(ConversionWanted(b.sha256, "docx"))
    assert len(spawned) == 1 and notes.said == []
    spawned[0]()
    assert notes.said == [(a.sha256, 4, ""), (b.sha256, 4, "")]
    assert through == [shutil.copyfile, store.keep_pdf] * 2
    line.wanted(ConversionWanted(b.sha256, "docx"))
    assert len(spawned) == 2


def test_one_that_fails_unforeseen_does_not_stop_the_others(store, soffice):
    soffice(MAKES)
    a = kept(store)
    notes = Notes(store)
    line = Conversions(notes, lambda function, *args: function(*args), lambda work: work())
    line.wanted(ConversionWanted("0" * 64, "pptx"))
    line.wanted(ConversionWanted(a.sha256, "pptx"))
    assert notes.said == [(a.sha256, 4, "")]


def test_a_start_takes_up_what_was_left_and_what_waited_for_a_converter(store, soffice, monkeypatch, tmp_path):
    a = kept(store)
    notes = Notes(store, [(a.sha256, "pptx")])
    line = Conversions(notes, lambda function, *args: function(*args), lambda work: work())
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        line.resume()
    assert notes.asked == () and notes.said == [(a.sha256, None, NO_CONVERTER)]
    soffice(MAKES)
    line.resume()
    assert notes.asked == (NO_CONVERTER,) and notes.said[-1] == (a.sha256, 4, "")
