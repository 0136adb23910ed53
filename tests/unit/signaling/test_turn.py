"""Credentials for the relay, and where the pages find them."""

import base64
import hmac

from core.clock import to_ms
from signaling.turn import Turn, password
from tests.fakes import FakeClock

URL = "turns:turn.example.vn:443?transport=tcp"


def test_a_username_says_until_when_and_who_and_its_password_follows_from_the_secret(clock: FakeClock) -> None:
    given = Turn((URL,), "the secret", 600, clock).ice("bp_a")
    (server,) = given.servers
    expiry, _, who = server.username.partition(":")
    assert (int(expiry), who) == (to_ms(clock.now()) // 1000 + 600, "bp_a")
    digest = hmac.digest(b"the secret", server.username.encode(), "sha1")
    assert server.credential == base64.b64encode(digest).decode()
    assert (server.urls, given.ttl_s) == ([URL], 600)


def test_the_password_is_the_one_that_coturn_expects() -> None:
    # printf 1433895918:ninefingers | openssl dgst -sha1 -hmac north -binary | base64
    assert password("north", "1433895918:ninefingers") == "jy8hTxmOO7UtEKXqSkSlvakPVYA="


def test_credentials_differ_from_one_moment_and_one_participant_to_the_next(clock: FakeClock) -> None:
    turn = Turn((URL,), "the secret", 600, clock)
    first, other = turn.ice("bp_a"), turn.ice("bp_b")
    clock.advance(1)
    later = turn.ice("bp_a")
    assert len({ice.servers[0].credential for ice in (first, other, later)}) == 3


def test_an_installation_without_a_relay_gives_no_server(clock: FakeClock) -> None:
    assert Turn((), "", 600, clock).ice("bp_a").servers == []
