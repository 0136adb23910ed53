"""Text that comes from outside, without what neither databases nor spreadsheets can keep. Pure."""

import re
from typing import Any

# Control characters but tab and line ends, and halves of surrogate pairs: PostgreSQL refuses NUL and the halves, XML
# refuses them all. The two that Word and PowerPoint put between lines part words, so a space stands for them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BREAKS = "\x0b\x0c"


def plain(text: str) -> str:
    """Return text without control characters; tabs and line ends stay."""
    return _UNFIT.sub(lambda found: " " if found[0] in _BREAKS else "", text)


def is_plain(text: str) -> bool:
    """Return whether `plain` would leave a text as it is."""
    return _UNFIT.search(text) is None


def plain_json(value: Any) -> Any:
    """Return a parsed JSON value with every text in it plain, names of fields too."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [plain_json(each) for each in value]
    if isinstance(value, dict):
        return {plain(name): plain_json(each) for name, each in value.items()}
    return value
