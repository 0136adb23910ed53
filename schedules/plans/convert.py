"""PDFs of slides and documents, made by LibreOffice where it is installed.

The file comes from outside, so LibreOffice gets a profile and a home of its own, which are thrown away, no
more of our environment than it needs, a limit of time, and is killed with all it started. In a fresh profile
macros are off. Waiting for it lets other green threads run, what is done with large files goes through
`app.offload`: a process cannot be waited for from gevent's thread pool (measured: TypeError).

**Source:** LibreOffice Help, "Starting LibreOffice Software With Parameters" (`--headless`, `--convert-to`,
`--outdir`, `-env:UserInstallation`).
"""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from core.errors import AppError
from schedules.plans.events import ConversionWanted
from schedules.plans.file_store import FileStore, Kept
from schedules.plans.files import Kind

log = logging.getLogger(__name__)

PROGRAM = "soffice"
TIMEOUT_S = 120.0
STOP_S = 5.0  # what is killed gets this long to be gone
FILTERS: dict[Kind, str] = {"pptx": "pdf:impress_pdf_Export", "docx": "pdf:writer_pdf_Export"}

NO_CONVERTER = "plan.no_converter"
FAILED = "plan.convert_failed"
TIMED_OUT = "plan.convert_timeout"


def directly(function: Callable[..., Any], *args: Any) -> Any:
    """Run it here."""
    return function(*args)


def to_pdf(
    store: FileStore,
    sha256: str,
    kind: Kind,
    timeout_s: float = TIMEOUT_S,
    offload: Callable[..., Any] = directly,
) -> tuple[Kept | None, str]:
    """Make and keep the PDF of a kept file.  Takes as long as it takes: never in a transaction or a request.

    offload: runs a blocking function elsewhere; timeout_s: seconds after which it is given up.
    Returns (the PDF, "") or (None, the code of the problem).
    Raises nothing but NotFound for a file that is not kept.
    """
    source = store.path(sha256)
    program = shutil.which(PROGRAM)
    if program is None:
        return None, NO_CONVERTER
    with tempfile.TemporaryDirectory(prefix="plan-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        given = folder / f"plan.{kind}"
        offload(shutil.copyfile, source, given)
        try:
            status = _run(_command(program, given, folder, kind), folder, timeout_s)
        except subprocess.TimeoutExpired:
            return None, TIMED_OUT
        except OSError:
            log.exception("converter does not start")
            return None, FAILED
        result = folder / "out" / "plan.pdf"
        if status != 0 or not result.is_file():
            log.warning("not converted", extra={"sha256": sha256, "status": status})
            return None, FAILED
        try:
            return offload(store.keep_pdf, result), ""
        except AppError as error:  # larger than we keep, or no PDF at all
            log.warning("converted to something else", extra={"sha256": sha256, "code": error.code})
            return None, FAILED


def _command(program: str, given: Path, folder: Path, kind: Kind) -> list[str]:
    profile = (folder / "profile").as_uri()
    flags = ["--headless", "--norestore", "--nologo", "--nodefault", "--nolockcheck", "--nofirststartwizard"]
    return [
        program,
        f"-env:UserInstallation={profile}",
        *flags,
        "--convert-to",
        FILTERS[kind],
        "--outdir",
        str(folder / "out"),
        str(given),
    ]


def _run(command: list[str], folder: Path, timeout_s: float) -> int:
    """Run a command in a session of its own; whatever is left of that session is killed in any case."""
    environment = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
    }
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    try:
        return process.wait(timeout_s)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it and its children are gone
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.error("the converter cannot be killed", extra={"pid": process.pid})


class Keeper(Protocol):
    """Who stores what came of a conversion."""

    @property
    def store(self) -> FileStore: ...  # noqa: D102

    def converted(self, sha256: str, pdf: Kept | None, problem: str = "", /) -> None:
        """Store the PDF of a file, or why there is none."""
        ...

    def unconverted(self, again: tuple[str, ...] = (), /) -> list[tuple[str, Kind]]:
        """Return the files that have no PDF yet."""
        ...


class Conversions:
    """Converts one file after the other beside the requests: two LibreOffices at once need 1 GB and more."""

    def __init__(
        self, keeper: Keeper, offload: Callable[..., Any], spawn: Callable[[Callable[[], None]], object]
    ) -> None:
        """Prepare.

        offload: runs a blocking function elsewhere; spawn: runs one in the background of the async mode.
        """
        self._keeper, self._offload, self._spawn = keeper, offload, spawn
        self._waiting: deque[tuple[str, Kind]] = deque()
        self._running = False

    def wanted(self, event: ConversionWanted) -> None:
        """Convert a file when those before it are done."""
        self._take([(event.sha256, event.kind)])

    def resume(self) -> None:
        """Take up what the last process left, and what waits for a converter if there is one now."""
        self._take(self._keeper.unconverted((NO_CONVERTER,) if shutil.which(PROGRAM) else ()))

    def _take(self, files: list[tuple[str, Kind]]) -> None:
        self._waiting.extend(file for file in files if file not in self._waiting)
        if self._waiting and not self._running:
            self._running = True
            self._spawn(self._run)

    def _run(self) -> None:
        try:
            while self._waiting:
                self._convert(*self._waiting.popleft())
        finally:
            self._running = False

    def _convert(self, sha256: str, kind: Kind) -> None:
        try:
            pdf, problem = to_pdf(self._keeper.store, sha256, kind, offload=self._offload)
            self._keeper.converted(sha256, pdf, problem)
        except Exception:
            log.exception("conversion not stored", extra={"sha256": sha256})
