"""ICE-lite: only who knows the password is answered."""

from ipaddress import IPv4Address, IPv6Address

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from media import stun as ours
from media.ice import IceLite, is_dtls, is_rtcp, is_rtp, is_stun, local_ufrag


def request(ice: IceLite, pwd: str | None = None, theirs: str = "them", **attributes: object) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes.update({"USERNAME": f"{ice.ufrag}:{theirs}", "PRIORITY": 1, **attributes})
    message.add_message_integrity((pwd or ice.pwd).encode())
    return bytes(message)


def test_a_check_is_answered_with_the_senders_address() -> None:
    ice = IceLite("them")
    data = request(ice, **{"USE-CANDIDATE": None})
    assert local_ufrag(data) == ice.ufrag
    check = ice.check(data, ("198.51.100.7", 4321))
    assert check is not None and check.valid and check.nominated
    reply = stun.parse_message(check.reply)
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ("198.51.100.7", 4321)
    assert reply.check_message_integrity(ice.pwd.encode())


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_an_independent_reader_understands_the_answer(host: IPv4Address | IPv6Address, port: int) -> None:
    ice = IceLite("them")
    check = ice.check(request(ice), (str(host), port))
    assert check is not None
    reply = stun.parse_message(check.reply)  # verifies the FINGERPRINT too
    assert (reply.message_class, reply.attributes["XOR-MAPPED-ADDRESS"]) == (stun.Class.RESPONSE, (str(host), port))
    assert reply.check_message_integrity(ice.pwd.encode())


def test_who_claims_our_role_is_told_so_and_not_let_in() -> None:
    ice = IceLite("them")
    check = ice.check(request(ice, **{"ICE-CONTROLLED": 7}), ("198.51.100.7", 4321))
    assert check is not None and not check.valid
    reply = stun.parse_message(check.reply)
    assert (reply.message_class, reply.error_code) == (stun.Class.ERROR, 487)
    assert reply.check_message_integrity(ice.pwd.encode())


ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "SOFTWARE": st.text(max_size=30),
        "PRIORITY": st.integers(0, 2**32 - 1),
        "USE-CANDIDATE": st.none(),
        "ICE-CONTROLLED": st.integers(0, 2**64 - 1),
        "ICE-CONTROLLING": st.integers(0, 2**64 - 1),
        "REALM": st.text(max_size=9),
        "NONCE": st.binary(max_size=9),
    },
)


@given(ATTRIBUTES, st.text(max_size=40), st.permutations(range(4)))
def test_a_request_is_read_as_an_independent_writer_meant_it(
    attributes: dict[str, object], username: str, order: list[int]
) -> None:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    items = [("USERNAME", username), *attributes.items()]
    message.attributes.update(sorted(items, key=lambda item: order[items.index(item) % 4]))
    message.add_message_integrity(b"password")
    data = bytes(message)
    read = ours.read_request(data)
    assert read is not None and ours.is_authentic(data, read, b"password")
    assert not ours.is_authentic(data, read, b"passwork")
    assert (read.transaction, read.username.decode()) == (message.transaction_id, username)
    assert (read.nominated, read.controlled) == ("USE-CANDIDATE" in attributes, "ICE-CONTROLLED" in attributes)
    damaged = data[:-1] + bytes((data[-1] ^ 1,))
    assert ours.read_request(damaged) is None, "its FINGERPRINT does not fit"


def test_a_wrong_password_or_name_is_met_with_silence() -> None:
    ice = IceLite("them")
    assert ice.check(request(ice, pwd="guess" * 6), ("198.51.100.7", 1)) is None
    assert ice.check(request(ice, theirs="others"), ("198.51.100.7", 1)) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_a_check_fail(data: bytes) -> None:
    ice = IceLite()
    local_ufrag(data)
    assert ice.check(data, ("198.51.100.7", 1)) is None


@given(st.integers(0, 120), st.integers(0, 255))
def test_a_damaged_check_is_dropped(at: int, value: int) -> None:
    ice = IceLite("them")
    data = bytearray(request(ice))
    at %= len(data) - 8  # all that MESSAGE-INTEGRITY protects; the FINGERPRINT after it is only a hint
    if data[at] != value:
        data[at] = value
        check = ice.check(bytes(data), ("198.51.100.7", 1))
        assert check is None


def test_the_first_byte_tells_what_a_datagram_is() -> None:
    kinds = [(is_stun, {0, 1, 2, 3}), (is_dtls, set(range(20, 64))), (is_rtp, set(range(128, 192)))]
    for test, expected in kinds:
        assert {b for b in range(256) if test(bytes((b, 0)))} == expected
    assert is_rtcp(b"\x80\xc8") and not is_rtcp(b"\x80\x60") and not is_rtcp(b"\x80")
