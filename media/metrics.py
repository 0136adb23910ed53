"""What the node counts, as Prometheus text."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from media.node import Node
from media.tally import Histogram

PREFIX = "diemcau_media_"


class _Collector:
    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        port, tally = self._node.port, self._node.port.tally
        counters = (
            ("packets_received", "Packets read", port.received),
            ("bytes_received", "Bytes read", port.received_bytes),
            ("packets_sent", "Packets sent to viewers", port.fanout.sent),
            ("bytes_sent", "Bytes sent to viewers", port.fanout.sent_bytes),
            ("packets_dropped", "Packets a full socket or a slow viewer did not take", port.fanout.dropped),
            ("strangers", "Packets of unknown senders", port.strangers),
            ("refused", "Packets that were not authentic or could not be read", port.refused),
            ("policed", "Packets of participants who sent more than their share", port.policed),
            ("tcp_refused", "Connections closed because nobody vouched for them", port.tcp.refused),
            ("nacks", "Packets viewers asked for again", tally.nacks),
            ("unrepaired", "Packets asked for again that were gone", tally.unrepaired),
            ("key_frame_requests", "Key frames asked of publishers", tally.key_frame_requests),
            ("layer_switches", "Changes of a viewer's layer", tally.layer_switches),
            ("slot_switches", "Changes of who is in a slot", tally.slot_switches),
            ("recorder_dropped", "Packets recorders did not take in time", tally.recorder_dropped),
        )
        for name, text, value in counters:
            yield CounterMetricFamily(PREFIX + name, text, value=value)
        yield GaugeMetricFamily(PREFIX + "loop_lag_seconds", "Lateness of the last tick", value=self._node.lag_s)
        yield GaugeMetricFamily(PREFIX + "tcp_connections", "TCP connections", value=port.tcp.connections)
        yield _histogram("forward_delay_seconds", "From reading a packet to its last copy", tally.delays)
        yield _histogram("viewer_rtt_seconds", "Round trips, by viewers' reports", tally.round_trips)
        yield _histogram("viewer_loss_ratio", "Shares of packets lost, by viewers' reports", tally.losses)
        yield from self._rooms()

    def _rooms(self) -> Iterator[Metric]:
        viewers = GaugeMetricFamily(PREFIX + "viewers", "Receiving legs", labels=["room"])
        lag = GaugeMetricFamily(PREFIX + "recorder_lag_seconds", "Age of what the recorder writes", labels=["room"])
        backlog = GaugeMetricFamily(PREFIX + "recorder_backlog_bytes", "Waiting for the recorder", labels=["room"])
        for room in self._node.rooms.values():
            viewers.add_metric([room.id], len(room.downs))
            if room.recording is not None:
                lag.add_metric([room.id], room.recording.lag_s)
                backlog.add_metric([room.id], room.recording.backlog)
        yield from (viewers, lag, backlog)


def _histogram(name: str, text: str, values: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(PREFIX + name, text, buckets=values.buckets(), sum_value=values.sum)


def exposition(node: Node) -> bytes:
    """Return the metrics of a node in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(node))
    return generate_latest(registry)
