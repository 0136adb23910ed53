"""The five kinds of error a person or a program can be told about.

Features subclass these; HTTP and sockets each map a kind in one place. `code` is stable and for
programs; `message` is an English sentence, written with `N_` so that it is found by the
translation tools, with `%(name)s` places filled from `params` after translation.
"""

from typing import Any


def N_(message: str) -> str:
    """Mark a sentence for translation without translating it yet.

    message: English, `%(name)s` places allowed.  Returns it unchanged.
    """
    return message


class AppError(Exception):
    """Something a person can be told, with a stable code."""

    status = 500

    def __init__(self, code: str, message: str, **params: Any) -> None:
        """Keep code, sentence and the values of the sentence's places.

        code: dotted lower case, such as `floor.taken`; message: marked with `N_`;
        params: values for the `%(name)s` places, JSON-serialisable.
        """
        super().__init__(code)
        self.code = code
        self.message = message
        self.params = params

    def __str__(self) -> str:
        return f"{self.code}: {self.message % self.params if self.params else self.message}"


class Invalid(AppError):
    """The request itself is wrong; sending it again will not help."""

    status = 422


class TooLarge(Invalid):
    """What was sent is larger than what is read."""

    status = 413


class NotAllowed(AppError):
    """The one who asks may not do this."""

    status = 403


class NotFound(AppError):
    """There is no such thing, or the one who asks may not know of it."""

    status = 404


class Conflict(AppError):
    """It would contradict what is already so."""

    status = 409


class Unavailable(AppError):
    """Not now; trying again later may help."""

    status = 503
