"""The web process is killed in the middle of a class: everybody is back by themselves, nothing is lost."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_node import SDP
from tests.flows.sockets import Page, Server, until

PAGES = 50
BACK_S = 20.0  # far more than it takes (about 3 s), because the machine may be busy with other tests


@pytest.fixture(params=["eventlet", "gevent", "threading"])
def server(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    one = Server(request.param, tmp_path)
    one.start()
    yield one
    one.stop()


def all_of(pages: list[Page], what: Callable[[Page], object]) -> None:
    threads = [threading.Thread(target=what, args=(page,)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_everybody_is_back_after_a_kill_and_no_row_is_lost(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    lecture = server.lecture()
    names = {f"bp_{i}": Page(server, comes_back=True) for i in range(PAGES)}
    lecturer = Page(server, comes_back=True)
    try:
        lecturer.join(lecture, "usr_lecturer", "lecturer")
        all_of(
            list(names.values()), lambda page: page.join(lecture, next(n for n in names if names[n] is page), "point")
        )
        assert lecturer.ask("lecture.start")["ok"]
        hands = [n for n in list(names)[:20] if names[n].ask("floor.request")["ok"]]
        node, before = server.get("/node")["pid"], server.journal(lecture)

        everybody = [lecturer, *names.values()]
        joins = {page: page.joins for page in everybody}
        server.kill()
        time.sleep(1)
        started = time.monotonic()
        server.start()
        up = time.monotonic()
        until(lambda: all(page.joins > joins[page] and page.ack and page.ack["ok"] for page in everybody), BACK_S)
        record_property("back_s", round(time.monotonic() - up, 2))
        record_property("start_s", round(up - started, 2))

        after = server.journal(lecture)
        assert after[: len(before)] == before, "what was acknowledged is there, as it was"
        kinds = [row["type"] for row in after]
        assert kinds.count("participant.joined") == PAGES + 1, "nobody came a second time"
        assert "participant.left" not in kinds
        state = lecturer.ask("room.snapshot")["state"]
        assert [r["participant"] for r in state["floor"]["queue"]] == hands
        assert len(state["present"]) == PAGES + 1

        assert server.get("/node")["pid"] == node, "the media node never stopped"
        os.kill(node, 0)
        assert lecturer.others == [], "so nobody negotiates again"
        assert names["bp_0"].ask("media.up", {"sdp": SDP})["ok"]
    finally:
        for page in [lecturer, *names.values()]:
            page.close()
