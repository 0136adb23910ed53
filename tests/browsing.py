"""A test client that behaves as a browser does: its forms carry the CSRF token of its session."""

import secrets
from typing import Any

from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer


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
