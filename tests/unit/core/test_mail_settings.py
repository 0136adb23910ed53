"""How the mail server and the sender are read from the environment; a password is repeated nowhere."""

from pathlib import Path

import pytest

from core.config import Config, SmtpServer, from_environment


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (
            "smtp+starttls://lich:b%40c%2Fd@mail.example.vn:2525",
            SmtpServer("mail.example.vn", 2525, "lich", "b@c/d", "starttls"),
        ),
        ("smtp+starttls://mail.example.vn", SmtpServer("mail.example.vn", 587, "", "", "starttls")),
        (
            "smtps://lich%40example.vn:m%E1%BA%ADt@mail.example.vn",
            SmtpServer("mail.example.vn", 465, "lich@example.vn", "mật", "tls"),
        ),
        ("smtp://mail.example.vn/", SmtpServer("mail.example.vn", 25, "", "", "none")),
        ("smtp://lich:pw@127.0.0.1:1025", SmtpServer("127.0.0.1", 1025, "lich", "pw", "none")),
        ("smtp://[::1]:1025", SmtpServer("::1", 1025, "", "", "none")),
    ],
)
def test_a_mail_server_is_one_url(url: str, server: SmtpServer) -> None:
    assert from_environment({"SMTP_URL": url}).smtp == server


@pytest.mark.parametrize(
    "url",
    [
        "smtp://lich:hunter2@mail.example.vn",  # in clear over the net
        "https://lich:hunter2@mail.example.vn",
        "smtps://lich:hunter2@mail.example.vn:port",
        "smtps://lich:hunter2/3@mail.example.vn",
        "smtps://lich:hunter2#3@mail.example.vn",
        "smtps://lich:hunter2?@mail.example.vn",
        "lich:hunter2@mail.example.vn",
        "smtps://lich:hunter2@[mail",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL") as refused:
        from_environment({"SMTP_URL": url})
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_password_is_not_shown_with_the_configuration() -> None:
    config = from_environment({"SMTP_URL": "smtps://lich:hunter2@mail.example.vn"})
    assert config.smtp is not None and config.smtp.password == "hunter2"
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)


def test_who_letters_come_from(tmp_path: Path) -> None:
    assert Config(public_url="https://lop.example.vn").sender == "Điểm Cầu <no-reply@lop.example.vn>"
    assert Config(public_url="http://[::1]:5000").sender == "Điểm Cầu <no-reply@localhost>"
    named = from_environment({"MAIL_FROM": "Trung tâm <lich@example.vn>", "DATA_DIR": str(tmp_path)})
    assert named.sender == "Trung tâm <lich@example.vn>"
    assert named.outbox_dir == tmp_path / "outbox"
    assert from_environment({"MAIL_OUTBOX": str(tmp_path / "x")}).outbox_dir == tmp_path / "x"


@pytest.mark.parametrize("sender", ["Trung tâm", "a@b@c", "Trung tâm <lịch@example.vn>", "x\nBcc: y <a@b.vn>"])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="MAIL_FROM"):
        from_environment({"MAIL_FROM": sender})
