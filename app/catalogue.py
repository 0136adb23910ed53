"""Translation catalogues: collect the sentences, keep vi's catalogue in step, compile."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "app" / "translations"
VI = TRANSLATIONS / "vi" / "LC_MESSAGES" / "messages.po"
JS_LIST = TRANSLATIONS / "js.json"
PYTHON_FOLDERS = ("app", "attendance", "core", "replays", "rooms", "schedules", "signaling")
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # a date of today would change the file at every run
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "lazy_gettext": None, "_l": None, "t": None}


def extract() -> dict[str, list[tuple[str, int]]]:
    """Return every sentence of the product: msgid -> where it stands (file, line)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for folder in PYTHON_FOLDERS:
        _collect(found, folder, [("migrations/**", "ignore"), ("**.py", "python"), ("**/templates/**.html", "jinja2")])
    _collect(found, "media", [("client.py", "python")])  # the node's own sentences are for its log only
    _collect(found, "static/js", [("**.js", "javascript")])
    return found


def _collect(found: dict[str, list[tuple[str, int]]], folder: str, methods: list[tuple[str, str]]) -> None:
    start = ROOT / folder
    rows = extract_from_dir(str(start), methods, {"**/templates/**.html": {"silent": "false"}}, keywords=KEYWORDS)
    for name, line, message, _comments, _context in rows:
        for msgid in message if isinstance(message, tuple) else (message,):
            if msgid:
                found.setdefault(msgid, []).append((f"{folder}/{name}", line))


def update() -> tuple[int, int]:
    """Bring vi's catalogue in step with the sources.

    Sentences that are no longer used go, new ones come without translation.
    Returns (sentences, how many of them have no translation yet).
    """
    old = load()
    fresh = Catalog(
        locale="vi", project="Điểm Cầu", creation_date=NO_DATE, revision_date=NO_DATE, fuzzy=False,
        last_translator="Điểm Cầu", language_team="Điểm Cầu", msgid_bugs_address="",
    )  # fmt: skip
    fresh.header_comment = "# Vietnamese words of Điểm Cầu.\n# SPDX-License-Identifier: Apache-2.0"
    for msgid, places in sorted(extract().items()):
        known = old.get(msgid)
        files = sorted({name for name, _line in places})
        string = str(known.string) if known and known.string else ""
        fresh.add(msgid, string, locations=[(name, 0) for name in files])
    VI.parent.mkdir(parents=True, exist_ok=True)
    with VI.open("wb") as file:
        write_po(file, fresh, omit_header=False, sort_output=True, include_lineno=False, width=120)
    return len(fresh), sum(1 for message in fresh if message.id and not message.string)


def load() -> Catalog:
    """Return vi's catalogue as it stands."""
    if not VI.exists():
        return Catalog(locale="vi")
    with VI.open("rb") as file:
        return read_po(file, locale="vi")


def compile_all() -> None:
    """Write what the running product reads: messages.mo, and the list of sentences in scripts."""
    found = extract()
    with VI.with_suffix(".mo").open("wb") as file:
        write_mo(file, load())
    in_scripts = sorted(msgid for msgid, places in found.items() if any(_is_script(name) for name, _line in places))
    JS_LIST.write_text(json.dumps(in_scripts, ensure_ascii=False, indent=0), "utf-8")


def compile_if_stale() -> None:
    """Compile when the catalogue is newer than what was compiled, or nothing was."""
    made = VI.with_suffix(".mo")
    if not made.exists() or not JS_LIST.exists() or made.stat().st_mtime < VI.stat().st_mtime:
        compile_all()


def _is_script(name: str) -> bool:
    return name.startswith("static/js/")


def main(arguments: list[str]) -> int:
    """Run `update` or `compile`.  Returns the exit status."""
    if arguments == ["update"]:
        sentences, missing = update()
        print(f"{sentences} sentences, {missing} without translation")
        return 0
    if arguments == ["compile"]:
        compile_all()
        return 0
    print("usage: python -m app.catalogue update|compile", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
