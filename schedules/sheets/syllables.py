"""Which words can be Vietnamese: an onset, a rhyme, at most one tone. Pure.

It does not know the dictionary. It tells “Nguyễn” from “NguyÔn”, which is all that is asked of it.

**Source:** the spelling rules of the Vietnamese alphabet; rhymes as in school grammars.
"""

import re
import unicodedata

ONSETS = "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph q qu r s t th tr v x"
RHYMES = """
a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oc oi om on ong op ot ooc oong oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oe oen oeo oet
ô ôc ôi ôm ôn ông ôp ôt ôông ơ ơi ơm ơn ơp ơt u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uơ
uôc uôi uôm uôn uông uôt uy uya uych uynh uyt uyu uyp uyên uyêt ư ưa ưc ưi ưm ưn ưng ưt ưu
ươc ươi ươm ươn ương ươp ươt ươu y yêm yên yêng yêt yêu
"""

_TONES = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}  # huyền, sắc, ngã, hỏi, nặng
_OF_STOPS = {"\u0301", "\u0323"}  # a rhyme that ends in -c -ch -p -t has sắc or nặng
_SYLLABLE = re.compile(f"(?:{'|'.join(ONSETS.split())})?(?:{'|'.join(RHYMES.split())})")
# A tone does not stand on the glide that ends a rhyme: “chào”, not “chaò”. In “quý”, “giò” and “thuý” there is none.
_ENDS_IN_GLIDE = re.compile("(?:[aăâeêoôơư]|(?<![qg])u|(?<!g)i)[iou]$|[aâ]y$")
LONGEST = 12  # characters, with marks apart; “nghiễng” has 9
WORD = re.compile(r"[^\s!-@\[-`{-~]+")  # no white space, none of ASCII's signs and digits


def words(text: str) -> list[str]:
    """Return the words of a text: what stands between white space, digits and the signs of ASCII."""
    return WORD.findall(text)


def is_syllable(word: str) -> bool:
    """Return whether a word can be a Vietnamese syllable, in either case, composed or not."""
    if len(word) > LONGEST:
        return False
    marks = unicodedata.normalize("NFD", word.lower())
    tones = [c for c in marks if c in _TONES]
    letters = unicodedata.normalize("NFC", "".join(c for c in marks if c not in _TONES))
    if len(tones) > 1 or not _SYLLABLE.fullmatch(letters):
        return False
    if tones and marks[-1] in _TONES and _ENDS_IN_GLIDE.search(letters):
        return False
    return not tones or not letters.endswith(("c", "ch", "p", "t")) or tones[0] in _OF_STOPS
