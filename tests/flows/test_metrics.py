"""`/metrics`: the media nodes' figures in one text, for who has the token."""

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import exposition

NODE = b"""\
# HELP sent_total Packets sent
# TYPE sent_total counter
sent_total %d.0
# HELP viewers Receiving legs
# TYPE viewers gauge
viewers{room="lec_%d"} 3.0
# HELP delay_seconds Forwarding delay
# TYPE delay_seconds histogram
delay_seconds_bucket{le="0.001"} 5.0
delay_seconds_bucket{le="+Inf"} 6.0
delay_seconds_count 6.0
delay_seconds_sum 0.25
"""


def samples(text: bytes) -> dict[tuple[str, str], float]:
    families = list(text_string_to_metric_families(text.decode()))
    assert len({family.name for family in families}) == len(families), "each is described once"
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_each_sample_says_which_node_it_is_of() -> None:
    found = samples(exposition([NODE % (10, 1), None, NODE % (20, 2)]))
    assert found[("sent_total", "node=0")] == 10
    assert found[("sent_total", "node=2")] == 20
    assert found[("viewers", "node=2,room=lec_2")] == 3
    assert found[("delay_seconds_bucket", "le=0.001,node=0")] == 5
    assert found[("delay_seconds_sum", "node=2")] == 0.25
    assert [found[("diemcau_media_up", f"node={n}")] for n in (0, 1, 2)] == [1, 0, 1]


def test_only_who_has_the_token_gets_them(app: Flask) -> None:
    client = app.test_client()
    token = app.extensions["metrics_token"]
    assert (app.extensions["services"].config.data_dir / "metrics-token").read_text() == token
    for wrong in ("", "Bearer ", f"Bearer {token}x", f"Basic {token}", token):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.headers["Cache-Control"] == "no-store"
