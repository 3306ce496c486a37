"""What a scrape shows of the certificate."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from access.edge.tls.renewal import Renewal

PREFIX = "relaymesh_edge_tls_"


class TlsCollector(Collector):
    """Reads the certificate in use."""

    def __init__(self, renewal: Renewal) -> None:
        self._renewal = renewal

    def collect(self) -> Iterator[Metric]:
        """Yield when the certificate in use ends, and how often a new one was refused."""
        text = "End of the certificate in use, in Unix seconds."
        expires_s = self._renewal.current.expires_s
        yield GaugeMetricFamily(PREFIX + "certificate_expiry_seconds", text, expires_s)
        text = "Times that new certificate files could not be used."
        yield CounterMetricFamily(PREFIX + "certificate_failures", text, self._renewal.failures)
