"""Letters are whole and harmless, and leave by real SMTP on loopback, encrypted where it was asked for."""

import base64
import socket
import stat
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Tls
from core.errors import Invalid
from schedules.calendars.mail import (
    DeliveryFailed,
    FileOutbox,
    SmtpTransport,
    compose,
    header_text,
    mail_address,
    mailbox,
    recipient,
)
from schedules.ical import Attendee, LinkLabels, invitation
from tests.unit.schedules.mail_server import PASSWORDS, USER, Certificate, Mailbox, mail_server, make_certificate
from tests.unit.schedules.plans import plan

AT = datetime(2026, 2, 21, 3, 4, 5, tzinfo=UTC)
FROM = Attendee("Điểm Cầu", "lich@example.vn")
TO = Attendee("Nguyễn Thị Minh, “giảng viên”", "minh@example.vn")
LABELS = LinkLabels("Vào buổi học", "Màn hình", "Xem lại")
CALENDAR = invitation(plan(), "REQUEST", FROM, [TO], AT, "https://lop.example.vn", LABELS)


def letter(to: Attendee = TO, subject: str = "Thư mời: Chuyển đổi số", sender: Attendee = FROM) -> bytes:
    return compose("ltr_1", sender, to, subject, "Kính gửi\n\nBuổi học", CALENDAR, "REQUEST", AT, "vi")


def parsed(message: bytes) -> EmailMessage:
    read = message_from_bytes(message, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


# ---- the letter ----


def test_a_letter_says_the_same_in_words_as_an_invitation_and_as_a_file() -> None:
    read = parsed(letter())
    assert read.get_content_type() == "multipart/mixed"
    both, file = read.iter_parts()
    text, calendar = both.iter_parts()
    assert (both.get_content_type(), text.get_content_type()) == ("multipart/alternative", "text/plain")
    assert text.get_content().splitlines() == ["Kính gửi", "", "Buổi học"]
    assert calendar.get_content_type() == "text/calendar"
    assert calendar["Content-Type"].params["method"] == "REQUEST"
    assert calendar["Content-Type"].params["charset"].upper() == "UTF-8"
    assert (file.get_content_type(), file.get_filename()) == ("application/ics", "invite.ics")
    assert file.get_payload(decode=True) == calendar.get_payload(decode=True) == CALENDAR
    assert icalendar.Calendar.from_ical(CALENDAR).get("METHOD") == "REQUEST"


def test_its_headers_are_ascii_on_the_line_and_vietnamese_when_read() -> None:
    written = letter()
    assert written.isascii()
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert max(len(line) for line in written.split(b"\r\n")) <= 998
    read = parsed(written)
    assert read["Subject"] == "Thư mời: Chuyển đổi số"
    (to,) = read["To"].addresses
    assert (to.display_name, to.addr_spec) == (TO.name, TO.address)
    assert read["From"].addresses[0].display_name == "Điểm Cầu"
    assert read["Message-ID"] == "<ltr_1@example.vn>"
    assert read["Date"].datetime == AT
    assert read["Auto-Submitted"] == "auto-generated"
    assert recipient(written) == Attendee(TO.name, TO.address)


HOSTILE = [
    "a\r\nBcc: eve@example.vn",
    "a\nBcc: eve@example.vn",
    "a\rBcc: eve@example.vn",
    "=?utf-8?q?a=0D=0ABcc:_eve@example.vn?=",
    "=?utf-8?b?" + base64.b64encode(b"a\r\nBcc: eve@example.vn\r\n\r\nx").decode() + "?=",
    "a\x0bBcc: eve@example.vn\x0c\x1c\x85 Bcc:x",
    'a" <eve@example.vn>, "b',
    "\u202eabc\u2066",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_and_no_title_can_add_a_header_or_a_reader(text: str) -> None:
    read = parsed(letter(Attendee(text, "minh@example.vn"), subject=text, sender=Attendee(text, "lich@example.vn")))
    assert read["Bcc"] is None
    assert [to.addr_spec for to in read["To"].addresses] == ["minh@example.vn"]
    assert [by.addr_spec for by in read["From"].addresses] == ["lich@example.vn"]
    assert read.get_content_type() == "multipart/mixed"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.sampled_from(HOSTILE))
@settings(deadline=None, max_examples=150)
def test_any_name_comes_out_as_it_went_in_but_for_what_is_not_allowed(name: str, more: str) -> None:
    for text in (name, name + more):
        try:
            written = letter(Attendee(text, "minh@example.vn"), subject=text)
        except Invalid as refused:
            assert refused.code == "mail.bad_header"
            continue
        read = parsed(written)
        assert read["Bcc"] is None
        assert [to.addr_spec for to in read["To"].addresses] == ["minh@example.vn"]
        assert "".join(read["Subject"].split()) == "".join(header_text(text).split())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "minh",
        "minh@",
        "@example.vn",
        "minh@example.vn\n",
        "minh@example.vn\r\nBcc: x@y.vn",
        "minh@example.vn, eve@example.vn",
        "Minh <minh@example.vn>",
        "minh @example.vn",
        "điểm@example.vn",
        ".minh@example.vn",
        "mi..nh@example.vn",
        "minh@example..vn",
        "a" * 65 + "@example.vn",
        "minh@" + ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        mail_address(address)
    assert refused.value.code == "mail.bad_address"
    with pytest.raises(Invalid):
        letter(Attendee("Minh", address))


def test_a_sender_may_have_a_name() -> None:
    assert mailbox("Điểm Cầu <lich@example.vn>") == Attendee("Điểm Cầu", "lich@example.vn")
    assert mailbox(" lich@example.vn ") == Attendee("", "lich@example.vn")


# ---- as a file ----


def test_the_outbox_has_one_whole_file_a_letter(tmp_path: Path) -> None:
    outbox = FileOutbox(tmp_path / "đi" / "outbox")
    outbox.send("ltr_1", TO.address, b"first")
    message = letter()
    outbox.send("ltr_1", TO.address, message)
    outbox.send("ltr_2", TO.address, b"second")
    assert sorted(path.name for path in (tmp_path / "đi" / "outbox").iterdir()) == ["ltr_1.eml", "ltr_2.eml"]
    written = tmp_path / "đi" / "outbox" / "ltr_1.eml"
    assert written.read_bytes() == message
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_an_outbox_that_cannot_be_written_fails_as_a_server_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DeliveryFailed) as failed:
        FileOutbox(tmp_path / "file").send("ltr_1", TO.address, b"x")
    assert (failed.value.code, failed.value.is_server) == ("outbox.unwritable", True)
    with pytest.raises(ValueError, match="letter's id"):
        FileOutbox(tmp_path).send("../ltr_1", TO.address, b"x")


# ---- by SMTP ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_letter_goes_in_clear_where_that_is_wished() -> None:
    box, message = Mailbox(), letter()
    with mail_server(box) as port:
        SmtpTransport("127.0.0.1", port, "", "", "none", FROM.address).send("ltr_1", TO.address, message)
    assert box.letters == [(FROM.address, [TO.address], message)]
    assert (box.encrypted, box.users) == ([False], [None])


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_with_tls_user_and_password(certificate: Certificate, tls: Tls, password: str) -> None:
    box, message = Mailbox(), letter()
    started, whole = (certificate, None) if tls == "starttls" else (None, certificate)
    with mail_server(box, starttls=started, tls=whole, wants_password=True) as port:
        transport = SmtpTransport(
            "localhost",
            port,
            USER,
            password,
            tls,
            FROM.address,
            context=certificate.trusted(),
        )
        transport.send("ltr_1", TO.address, message)
    assert box.letters == [(FROM.address, [TO.address], message)]
    assert (box.encrypted, box.users) == ([True], [USER])


def test_a_server_that_offers_no_encryption_gets_neither_password_nor_letter() -> None:
    box = Mailbox()
    with mail_server(box) as port, pytest.raises(DeliveryFailed) as failed:
        SmtpTransport("127.0.0.1", port, USER, PASSWORDS[0], "starttls", FROM.address).send(
            "ltr_1", TO.address, letter()
        )
    assert (failed.value.code, failed.value.is_server) == ("smtp.unsupported", True)
    assert box.letters == []


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Certificate) -> None:
    box = Mailbox()
    with mail_server(box, starttls=certificate) as port, pytest.raises(DeliveryFailed) as failed:
        SmtpTransport("localhost", port, "", "", "starttls", FROM.address).send("ltr_1", TO.address, letter())
    assert (failed.value.code, box.letters) == ("smtp.tls", [])


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    other, box = make_certificate(tmp_path, "mail.example.vn"), Mailbox()
    with mail_server(box, starttls=other) as port, pytest.raises(DeliveryFailed) as failed:
        SmtpTransport("localhost", port, "", "", "starttls", FROM.address, context=other.trusted()).send(
            "ltr_1", TO.address, letter()
        )
    assert (failed.value.code, box.letters) == ("smtp.tls", [])


def test_a_wrong_password_is_the_servers_failure_and_is_told_nowhere(certificate: Certificate) -> None:
    box = Mailbox()
    transport = SmtpTransport(
        "localhost", 0, USER, "a wrong secret", "starttls", FROM.address, context=certificate.trusted()
    )
    assert "wrong secret" not in repr(transport)
    with mail_server(box, starttls=certificate, wants_password=True) as port:
        wrong = SmtpTransport(
            "localhost", port, USER, "a wrong secret", "starttls", FROM.address, context=certificate.trusted()
        )
        with pytest.raises(DeliveryFailed) as failed:
            wrong.send("ltr_1", TO.address, letter())
    assert (failed.value.code, failed.value.is_server) == ("smtp.535", True)
    assert "wrong secret" not in f"{failed.value!r} {failed.value.__cause__!r}"
    assert box.letters == []


@pytest.mark.parametrize(
    ("reply", "code", "is_server"),
    [
        ("550 no such mailbox", "smtp.550", False),
        ("451 later please", "smtp.451", False),
    ],
)
def test_a_refused_reader_is_that_letters_failure_alone(reply: str, code: str, is_server: bool) -> None:
    with mail_server(Mailbox({TO.address: reply})) as port, pytest.raises(DeliveryFailed) as failed:
        SmtpTransport("127.0.0.1", port, "", "", "none", FROM.address).send("ltr_1", TO.address, letter())
    assert (failed.value.code, failed.value.is_server) == (code, is_server)


def test_a_server_that_is_not_there_is_a_failure_of_the_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        with pytest.raises(DeliveryFailed) as failed:
            SmtpTransport("127.0.0.1", taken.getsockname()[1], "", "", "none", FROM.address).send(
                "ltr_1", TO.address, letter()
            )
    assert (failed.value.code, failed.value.is_server) == ("smtp.unreachable", True)


def test_a_server_that_never_answers_is_given_up_after_the_time_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DeliveryFailed) as failed:
        SmtpTransport("127.0.0.1", silent.getsockname()[1], "", "", "none", FROM.address, timeout_s=0.2).send(
            "ltr_1", TO.address, letter()
        )
    assert failed.value.code == "smtp.unreachable"
