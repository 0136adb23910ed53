"""Both languages are whole: every sentence in Python, in templates and in scripts has its Vietnamese."""

import json
import re

import pytest
from flask import Flask

from app import catalogue
from app.i18n import js_messages

PLACE = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")


def places(sentence: str) -> list[str]:
    return sorted(first or second for first, second in PLACE.findall(sentence))


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[tuple[str, int]]]:
    return catalogue.extract()


def test_the_three_kinds_of_sources_are_all_read(sentences: dict[str, list[tuple[str, int]]]) -> None:
    files = {name for found in sentences.values() for name, _line in found}
    assert "app/errors.py" in files
    assert any(name.endswith(".html") for name in files)
    assert any(name.startswith("static/js/") for name in files)


def test_every_sentence_is_translated(sentences: dict[str, list[tuple[str, int]]]) -> None:
    known = {message.id: message for message in catalogue.load() if message.id}
    missing = {msgid: found for msgid, found in sentences.items() if msgid not in known or not known[msgid].string}
    assert missing == {}, "make translations, then translate what is empty in app/translations/vi"


def test_the_catalogue_has_no_sentence_that_nobody_says(sentences: dict[str, list[tuple[str, int]]]) -> None:
    assert {message.id for message in catalogue.load() if message.id} - set(sentences) == set()


def test_nothing_is_fuzzy_and_no_place_is_lost() -> None:
    wrong = [m.id for m in catalogue.load() if m.id and (m.fuzzy or places(m.id) != places(str(m.string)))]
    assert wrong == []


def test_a_vietnamese_sentence_is_composed_unicode_without_stray_spaces() -> None:
    import unicodedata

    wrong = [
        m.id
        for m in catalogue.load()
        if m.id and (unicodedata.normalize("NFC", str(m.string)) != m.string or str(m.string).strip() != m.string)
    ]
    assert wrong == []


def test_a_page_carries_the_words_of_its_scripts(app: Flask) -> None:
    page = app.test_client().get("/kiosk").get_data(as_text=True)
    found = re.search(r'<script type="application/json" id="i18n">(.*?)</script>', page, re.S)
    assert found
    words = json.loads(found.group(1))
    assert set(words) == set(js_messages())
    assert all(words.values())


def test_english_needs_no_words(app: Flask) -> None:
    client = app.test_client()
    client.get("/language/en")
    assert '<html lang="en"' in client.get("/kiosk").get_data(as_text=True)
    assert 'id="i18n">{}</script>' in client.get("/kiosk").get_data(as_text=True)


def test_the_first_language_is_vietnamese_and_the_choice_is_kept(app: Flask) -> None:
    client = app.test_client()
    assert '<html lang="vi"' in client.get("/login").get_data(as_text=True)
    answer = client.get("/language/en?next=/login")
    assert answer.headers["Location"] == "/login"
    assert '<html lang="en"' in client.get("/login").get_data(as_text=True)
    assert client.get("/language/xx").status_code == 404
