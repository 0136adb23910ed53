"""What the node counts, as Prometheus text."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from media.node import Node


class _Collector:
    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        node, port = self._node, self._node.port
        downs = [leg for room in node.rooms.values() for leg in room.downs.values()]
        viewers = GaugeMetricFamily("diemcau_media_viewers", "Receiving legs per room", labels=["room"])
        for room in node.rooms.values():
            viewers.add_metric([room.id], len(room.downs))
        return [
            CounterMetricFamily("diemcau_media_datagrams_received", "Datagrams read", value=port.received),
            CounterMetricFamily("diemcau_media_packets_sent", "Packets sent to viewers", value=port.fanout.sent),
            CounterMetricFamily("diemcau_media_packets_dropped", "Packets not sent", value=port.fanout.dropped),
            CounterMetricFamily("diemcau_media_strangers", "Datagrams of unknown senders", value=port.strangers),
            CounterMetricFamily("diemcau_media_refused", "Datagrams that could not be handled", value=port.refused),
            CounterMetricFamily("diemcau_media_nacks", "Packets asked for again", value=sum(d.nacks for d in downs)),
            GaugeMetricFamily("diemcau_media_loop_lag_seconds", "Lateness of the last tick", value=node.lag_s),
            viewers,
        ]


def exposition(node: Node) -> bytes:
    """Return the metrics of a node in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(node))
    return generate_latest(registry)
