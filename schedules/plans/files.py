"""What a file of a lesson plan is, judged by its bytes; its name and what the browser said prove nothing. Pure.

Taken are PDF, PPTX and DOCX, whole, unlocked and without macros. A zip's directory is summed up before
anything in it is unfolded; directories lie, so every part is then unfolded once, counted and thrown away.

**Source:** ISO 32000-2 sections 7.5.2, 7.5.5 and 7.6.2 (header, trailer, Encrypt); ECMA-376 part 2, sections 6.2
and 7.3.4 (content types; stored or deflated, never encrypted); MS-CFB section 2.2 and MS-OFFCRYPTO section
2.3 (a locked document is a compound file with an EncryptedPackage).
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from core.errors import N_, Invalid

Kind = Literal["pdf", "pptx", "docx"]
KINDS: tuple[Kind, ...] = ("pdf", "pptx", "docx")

MEGABYTE = 1024 * 1024
SIZE_MAX = 50 * MEGABYTE  # bytes
UNFOLDED_MAX = 400 * MEGABYTE  # bytes, of all parts of a zip together
XML_PART_MAX = 60 * MEGABYTE  # bytes unfolded; a converter makes objects of each
PARTS_MAX = 5000  # a deck of 300 slides with pictures has about 1,500
RATIO_MAX = 200  # unfolded to folded; XML of slides reaches 30, deflate at its worst 1032
RATIO_FROM = MEGABYTE  # bytes unfolded; below this the ratio harms nobody
TYPES_MAX = 2 * MEGABYTE  # bytes of [Content_Types].xml
NAME_MAX = 200  # characters
CHUNK = 256 * 1024
TAIL = 2048  # bytes in which a PDF's trailer must be; readers look into the last 1024

PDF_START = b"%PDF-"
ZIP_START = b"PK\x03\x04"
COMPOUND_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
LOCK_IN_PDF = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R\b|<<)")
PAGES_IN_PDF = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
OVERLAP = 64  # bytes of one chunk that are looked at again with the next

TYPES = "[Content_Types].xml"
RELATIONS = "_rels/.rels"
_OPENXML = "application/vnd.openxmlformats-officedocument."
MAIN: dict[str, tuple[Kind, str]] = {  # the main part, and the type that it must have
    "ppt/presentation.xml": ("pptx", f"{_OPENXML}presentationml.presentation.main+xml"),
    "word/document.xml": ("docx", f"{_OPENXML}wordprocessingml.document.main+xml"),
}
MACRO_ENDS = (".pptm", ".docm", ".ppsm", ".potm", ".dotm")


@dataclass(frozen=True)
class Judged:
    """What a file turned out to be.  pages: of a PDF where it can be seen without unfolding it."""

    kind: Kind
    pages: int | None = None


def judge(file: BinaryIO, name: str) -> Judged:
    """Return what a file is.

    file: seekable, read from its beginning; name: as its owner called it; its ending must fit the bytes.
    Raises Invalid with a sentence for each reason not to take it.
    """
    ending = _ending(name)
    if ending in MACRO_ENDS:
        raise macros()
    size = file.seek(0, 2)
    if size == 0:
        raise Invalid("plan.empty_file", N_("The file is empty."))
    if size > SIZE_MAX:
        raise too_large()
    file.seek(0)
    start = file.read(8)
    if start.startswith(PDF_START):
        found = Judged("pdf", _check_pdf(file, size))
    elif start.startswith(ZIP_START):
        found = Judged(_check_package(file))
    elif start == COMPOUND_START:
        raise _compound(file)
    else:
        raise Invalid(
            "plan.unknown_type", N_("This is no PDF, PowerPoint (.pptx) or Word (.docx) file, whatever its name says.")
        )
    if ending != f".{found.kind}":
        raise Invalid(
            "plan.wrong_type",
            N_("The file is really a %(kind)s file, but its name ends differently. Please rename it and try again."),
            kind=found.kind.upper(),
        )
    return found


def clean_name(name: str) -> str:
    """Return a file's name as its owner knows it: without folders and control characters, 200 characters at most."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(c for c in name if c.isprintable() and not 0x202A <= ord(c) <= 0x202E).strip(" .")
    ending = name[len(name) - len(_ending(name)) :]
    stem = name[: len(name) - len(ending)]
    return f"{stem[: NAME_MAX - len(ending)]}{ending}" or "file"


def too_large() -> Invalid:
    """Return the error for a file over the limit."""
    return Invalid(
        "plan.too_large",
        N_("The file is larger than %(most)s MB. Make its pictures smaller, or split it into several files."),
        most=SIZE_MAX // MEGABYTE,
    )


def macros() -> Invalid:
    """Return the error for a file with a program in it."""
    return Invalid(
        "plan.macros", N_("The file contains macros. Save it without macros, as .pptx or .docx, and upload that.")
    )


def locked() -> Invalid:
    """Return the error for a file that asks for a password."""
    return Invalid("plan.encrypted", N_("The file is locked with a password. Save it without one and upload that."))


def damaged() -> Invalid:
    """Return the error for a file that is cut off or broken."""
    return Invalid("plan.damaged", N_("The file is damaged or incomplete. Open it, save it again and upload that."))


def bomb() -> Invalid:
    """Return the error for a zip that unfolds to more than any lesson needs."""
    return Invalid("plan.bomb", N_("The file unfolds to more than any lesson plan needs, so it was not opened."))


def _ending(name: str) -> str:
    stem, dot, ending = name.strip().rpartition(".")
    return f".{ending.lower()}" if stem and dot else ""


def _compound(file: BinaryIO) -> Invalid:
    """Say whether a compound file is a locked document or one of before 2007."""
    if any(ENCRYPTED_PACKAGE in piece for piece in _pieces(file)):
        return locked()
    return Invalid(
        "plan.old_format", N_("This is a file of before 2007 (.ppt or .doc). Save it as .pptx, .docx or PDF.")
    )


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file from its beginning; each piece begins with the end of the one before."""
    file.seek(0)
    kept = b""
    while chunk := file.read(CHUNK):
        yield kept + chunk
        kept = chunk[-OVERLAP:]


# ---- PDF ---------------------------------------------------------------------------------------


def _check_pdf(file: BinaryIO, size: int) -> int | None:
    """Raise Invalid unless a PDF is whole and unlocked.  Returns its pages, None when they are folded away."""
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    if b"%%EOF" not in tail or b"startxref" not in tail:
        raise damaged()
    pages, counted = 0, 0  # counted: the position up to which pages were found, so that none counts twice
    position = 0
    file.seek(0)
    kept = b""
    while chunk := file.read(CHUNK):
        piece = kept + chunk
        if LOCK_IN_PDF.search(piece):
            raise locked()
        base = position - len(kept)
        for match in PAGES_IN_PDF.finditer(piece):
            if base + match.start() >= counted and (match.end() < len(piece) or len(chunk) < CHUNK):
                pages, counted = pages + 1, base + match.end()
        position += len(chunk)
        kept = piece[-OVERLAP:]
    return pages or None


# ---- PPTX and DOCX -----------------------------------------------------------------------------


def _check_package(file: BinaryIO) -> Kind:
    """Raise Invalid unless a zip is a presentation or a document that can be opened without harm."""
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
            _check_directory(parts)
            kind = _kind_of(archive, {part.filename for part in parts})
            _unfold(archive, parts)
            return kind
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise damaged() from error


def _check_directory(parts: list[ZipInfo]) -> None:
    if any(part.flag_bits & 1 for part in parts):
        raise locked()
    names = [part.filename for part in parts]
    if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNFOLDED_MAX:
        raise bomb()
    if any(map(_unfolds_too_far, parts)) or sum(part.compress_size for part in parts) > SIZE_MAX:
        raise bomb()  # the second: parts that share their bytes
    if len({name.lower() for name in names}) < len(names):
        raise damaged()  # two parts of one name: two readers may see two documents
    if any(name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) for name in names):
        raise damaged()
    if any(part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in parts):
        raise damaged()
    if any(name.lower().endswith(("vbaproject.bin", "vbadata.xml")) for name in names):
        raise macros()


def _unfolds_too_far(part: ZipInfo) -> bool:
    if part.file_size > XML_PART_MAX and part.filename.lower().endswith((".xml", ".rels")):
        return True
    return part.file_size > RATIO_FROM and part.file_size > part.compress_size * RATIO_MAX


def _kind_of(archive: ZipFile, names: set[str]) -> Kind:
    mains = [main for main in MAIN if main in names]
    if len(mains) != 1 or not {TYPES, RELATIONS} <= names:
        raise Invalid("plan.other_zip", N_("This is a zip file, but no PowerPoint (.pptx) or Word (.docx) document."))
    kind, wanted = MAIN[mains[0]]
    types = _types(archive)
    if any("macroenabled" in value.lower() or "vbaproject" in value.lower() for value in types.values()):
        raise macros()
    if types.get(f"/{mains[0]}") != wanted:
        raise Invalid("plan.other_zip", N_("This is a zip file, but no PowerPoint (.pptx) or Word (.docx) document."))
    return kind


def _types(archive: ZipFile) -> dict[str, str]:
    """Return the type of each part, and of each ending, as the package declares them."""
    if archive.getinfo(TYPES).file_size > TYPES_MAX:
        raise bomb()
    with archive.open(TYPES) as source:
        content = source.read(TYPES_MAX)
    if b"<!" in content.replace(b"\0", b""):  # a DOCTYPE, in UTF-16 too; no package has one, nor comments here
        raise damaged()
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError) as error:
        raise damaged() from error
    found = {}
    for child in root:
        of = child.get("PartName") or child.get("Extension") or ""
        found[of] = child.get("ContentType") or ""
    return found


def _unfold(archive: ZipFile, parts: list[ZipInfo]) -> None:
    """Unfold every part once: its size and checksum must be what the directory says."""
    left = UNFOLDED_MAX
    for part in parts:
        with archive.open(part) as source:
            while chunk := source.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise bomb()
