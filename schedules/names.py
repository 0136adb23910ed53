"""The order of names in Vietnamese. Pure.

**Source:** the order of the Vietnamese alphabet (a ă â b c d đ e ê … o ô ơ … u ư …); tones come after letters.
"""

import unicodedata

ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_PLACE = {letter: chr(0x100 + n) for n, letter in enumerate(ALPHABET)}
_TONES = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}  # huyền, sắc, ngã, hỏi, nặng


def place_key(name: str) -> tuple[str, str]:
    """Return the key that sorts names of places as a Vietnamese dictionary does."""
    folded = name.casefold()
    letters = "".join(c for c in unicodedata.normalize("NFD", folded) if c not in _TONES)
    plain = unicodedata.normalize("NFC", letters)
    return "".join(_PLACE.get(c, c) for c in plain), folded


def search_key(words: str) -> str:
    """Return words as they are searched for: without marks, in lower case, single spaces: `le thi hoa`."""
    marks = unicodedata.normalize("NFD", words.casefold().replace("đ", "d"))
    return " ".join("".join(c for c in marks if not unicodedata.combining(c)).split())


def person_key(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the key that sorts people by their given name, which comes last, then by the whole name."""
    given = name.rsplit(maxsplit=1)[-1] if name.strip() else ""
    return place_key(given), place_key(name)
