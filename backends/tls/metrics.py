"""What a scrape shows of the certificate of the mesh's links."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backends.tls.renewal import Renewal


class CertificateCollector(Collector):
    """Reads the certificate in use."""

    def __init__(self, renewal: Renewal) -> None:
        self._renewal = renewal

    def collect(self) -> Iterator[Metric]:
        """Yield when the certificate in use ends, and how often a new one was refused."""
        ends = GaugeMetricFamily(
            "relaymesh_certificate_expires_seconds",
            "End of the mesh certificate in use, in Unix seconds.",
            labels=["certificate"],
        )
        ends.add_metric([self._renewal.current.name], self._renewal.current.expires_s)
        yield ends
        yield CounterMetricFamily(
            "relaymesh_certificate_failures",
            "Times that new certificate files of the mesh could not be used.",
            self._renewal.failures,
        )
