"""What people type is made plain before any page reads it: forms, addresses and JSON, in this one place.

Messages of Socket.IO are made plain in `signaling.frames`, cells of sheets in `schedules.sheets.limits`.
"""

from typing import Any

from flask import Flask, Request
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import NotFound

from core.plain import is_plain, plain, plain_json


class Typed(ImmutableMultiDict[str, Any]):
    """The values of a form, or those behind the question mark of an address."""

    def __init__(self, mapping: Any = None) -> None:
        """Take values; files, which come the same way, stay as they are."""
        super().__init__(mapping)
        for values in dict.values(self):  # of a plain dict: all values of a name
            values[:] = [plain(each) if isinstance(each, str) else each for each in values]


class TypedRequest(Request):
    """A request whose text is plain."""

    parameter_storage_class = Typed


class TypedJson(DefaultJSONProvider):
    """JSON whose text is plain."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return the value of a JSON text.  Raises ValueError, also for one that is nested too deeply."""
        try:
            return plain_json(super().loads(s, **kwargs))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def init_app(app: Flask) -> None:
    """Read all requests so."""
    app.request_class = TypedRequest
    app.json = TypedJson(app)
    app.url_value_preprocessor(check_address)


def check_address(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Answer that there is nothing at an address with control characters: no id has any."""
    if not all(is_plain(each) for each in (values or {}).values() if isinstance(each, str)):
        raise NotFound
