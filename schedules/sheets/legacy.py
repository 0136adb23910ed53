"""Text in the encodings of Vietnamese fonts before Unicode, TCVN3 (ABC) and VNI, found out. Pure.

Both put Vietnamese letters where Latin-1 has others, so that “Nguyễn Văn Bình” arrives as “NguyÔn V¨n B×nh”
(TCVN3) or “Nguyeãn Vaên Bình” (VNI). A word speaks for such an encoding when it cannot be Vietnamese as it
stands and can be when read so. Words that are Vietnamese both ways speak for Unicode.

**Source:** TCVN 5712:1993, character set VN3; the VNI table of the VNI-Windows fonts.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from schedules.sheets.syllables import WORD, is_syllable, words

Encoding = Literal["TCVN3 (ABC)", "VNI"]
TCVN3: Encoding = "TCVN3 (ABC)"
VNI: Encoding = "VNI"
WORDS_ENOUGH = 2  # in one cell: a single word such as “Loïc” may be a foreign name
WORDS_ASKED, WORDS_LOOKED_AT = 2_000, 1_000_000  # of a whole file; more would only take longer

_TONES = {"`": "\u0300", "?": "\u0309", "~": "\u0303", "'": "\u0301", ".": "\u0323", "": ""}


def _tcvn3() -> dict[str, str]:
    """Letters from 0xA1 on; a gap is a code that has no letter."""
    table = dict(zip(range(0xA1, 0xAF), "ĂÂÊÔƠƯĐăâêôơưđ", strict=True))
    runs = [(0xB5, "a", "`?~'."), (0xBB, "ă", "`?~'"), (0xC6, "ă", "."), (0xC7, "â", "`?~'."), (0xCC, "e", "`")]
    runs += [(0xCE, "e", "?~'."), (0xD2, "ê", "`?~'."), (0xD7, "i", "`?"), (0xDC, "i", "~'."), (0xDF, "o", "`")]
    runs += [(0xE1, "o", "?~'."), (0xE5, "ô", "`?~'."), (0xEA, "ơ", "`?~'."), (0xEF, "u", "`"), (0xF1, "u", "?~'.")]
    runs += [(0xF5, "ư", "`?~'."), (0xFA, "y", "`?~'.")]
    for start, letter, tones in runs:
        table |= {start + n: _with(letter, tone) for n, tone in enumerate(tones)}
    return {chr(code): letter for code, letter in table.items()}


def _vni() -> dict[str, str]:
    """Letters alone, and pairs of a letter and the sign that stands for its marks; in lower case."""
    table = {"ñ": "đ", "ö": "ư", "ô": "ơ", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
    plain = dict(zip("ùøûõï", "'`?~.", strict=True))
    for base, letter in zip("aeouyôö", "aeouyơư", strict=True):
        table |= {base + sign: _with(letter, tone) for sign, tone in plain.items()}
    for base, letter in zip("aeo", "âêô", strict=True):
        table |= {base + sign: _with(letter, tone) for sign, tone in zip("âáàåãä", ["", *"'`?~."], strict=True)}
    table |= {"a" + sign: _with("ă", tone) for sign, tone in zip("êéèúüë", ["", *"'`?~."], strict=True)}
    return table


def _with(letter: str, tone: str) -> str:
    return unicodedata.normalize("NFC", letter + _TONES[tone])


_TCVN3, _VNI = _tcvn3(), _vni()
_SIGN_WITHIN = re.compile("[A-Za-z][\xa1-\xbf×÷][A-Za-z]")
_VNI_PARTS = re.compile("|".join(sorted(map(re.escape, _VNI), key=len, reverse=True)))


def from_tcvn3(word: str) -> str:
    """Return a word that was read as Latin-1 as TCVN3 means it."""
    return "".join(_TCVN3.get(c, c) for c in word)


def from_vni(word: str) -> str:
    """Return a word that was read as Latin-1 as VNI means it, in lower case."""
    return _VNI_PARTS.sub(lambda found: _VNI[found[0]], word.lower())


def speaks_for(word: str) -> tuple[Encoding, ...]:
    """Return the encodings in which alone a word is Vietnamese; none for Unicode, ASCII and foreign words."""
    if word.isascii() or not any(c.isascii() for c in word) or max(word) > "\xff" or is_syllable(word):
        return ()
    tcvn3: tuple[Encoding, ...] = (TCVN3,) if is_syllable(from_tcvn3(word)) else ()
    return (*tcvn3, VNI) if is_syllable(from_vni(word)) else tcvn3


def legacy_encoding(text: str) -> Encoding | None:
    """Return the old encoding that a cell's text is in, or None.

    Two such words are enough, or one with a sign in the middle, as in “T©m”, unless more words speak for Unicode.
    """
    if text.isascii():
        return None
    marked = [word for word in words(text) if not word.isascii()]
    votes = {n: encodings for n, word in enumerate(marked) if (encodings := speaks_for(word))}
    sure = any(_SIGN_WITHIN.search(marked[n]) for n in votes)
    if not votes or (len(votes) < WORDS_ENOUGH and not sure):
        return None
    if sum(map(is_syllable, marked)) > len(votes):
        return None
    return _most(votes.values())


def encoding_of_all(cells: Iterable[str]) -> Encoding | None:
    """Return the old encoding of a whole table whose cells are too short to tell alone, or None.

    Three different words are enough where no letter is beyond Latin-1: Vietnamese in Unicode soon has one.
    """
    votes: dict[str, tuple[Encoding, ...]] = {}
    for cell in cells:
        if cell.isascii():
            continue
        if any(c > "\xff" and c.isalpha() for c in cell):
            return None
        votes |= {word: encodings for word in words(cell) if (encodings := speaks_for(word))}
    return _most(votes.values()) if len(votes) > WORDS_ENOUGH else None


def encoding_of_bytes(data: bytes) -> Encoding | None:
    """Return the old encoding of a text of one byte a letter, or None when it is Windows-1258.

    The one that makes the most words Vietnamese has it; the first 2,000 words with marks are asked.
    """
    found = (match[0] for match in WORD.finditer(data.decode("latin-1")))
    latin = list(islice((word for word in islice(found, WORDS_LOOKED_AT) if not word.isascii()), WORDS_ASKED))
    modern = sum(is_syllable(word.encode("latin-1").decode("cp1258", "replace")) for word in latin)
    tcvn3 = sum(is_syllable(from_tcvn3(word)) for word in latin)
    vni = sum(is_syllable(from_vni(word)) for word in latin)
    if max(tcvn3, vni) <= modern:
        return None
    return TCVN3 if tcvn3 >= vni else VNI


def _most(votes: Iterable[tuple[Encoding, ...]]) -> Encoding:
    counted = [encoding for encodings in votes for encoding in encodings]
    return TCVN3 if counted.count(TCVN3) >= counted.count(VNI) else VNI
