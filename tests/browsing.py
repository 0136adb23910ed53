"""A test client that behaves as a browser does: its forms carry the CSRF token of its session."""

import io
import secrets
from typing import Any

from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.datastructures import FileStorage
from werkzeug.test import stream_encode_multipart


class Browser(FlaskClient):
    """Flask's test client, with the token that every form of ours has."""

    def open(self, *args: Any, csrf: bool = True, **kwargs: Any) -> Any:
        """Request as `FlaskClient.open`; csrf: whether a form post carries its token."""
        if csrf and kwargs.get("method") in ("POST", "PUT", "DELETE") and "json" not in kwargs:
            headers = dict(kwargs.pop("headers", None) or {})
            headers.setdefault("X-CSRFToken", self._token())
            kwargs["headers"] = headers
        return super().open(*args, **kwargs)

    def _token(self) -> str:
        with self.session_transaction() as session:
            raw = session.setdefault("csrf_token", secrets.token_hex(20))
        return str(URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token").dumps(raw))


def multipart(data: dict[str, Any]) -> dict[str, Any]:
    """Return a form with a large file as a browser sends it: the test client leaves large bodies open."""
    fields = {name: FileStorage(*value) if isinstance(value, tuple) else value for name, value in data.items()}
    body, _, boundary = stream_encode_multipart(fields, use_tempfile=False)
    return {"data": body.read(), "content_type": f"multipart/form-data; boundary={boundary}"}


class _Unread(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise AssertionError("the body was read")


def unread_body(size: int) -> dict[str, Any]:
    """Return what makes a request announce an upload of so many bytes, none of which may be read."""
    environ = {"wsgi.input": _Unread(), "CONTENT_LENGTH": str(size), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    return {"environ_overrides": environ}
