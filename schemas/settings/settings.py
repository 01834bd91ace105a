"""What follows from settings: where everything lies, where everybody is and how one gets in, what is indexed."""

from __future__ import annotations

from pathlib import Path

from schemas.access.blender import BlenderAccess
from schemas.access.flink import FlinkNetwork, flink_network
from schemas.access.kafka import KafkaAccess
from schemas.access.objects import object_place
from schemas.access.quorum import KafkaNode, kafka_node
from schemas.access.store import StoreServer, store_server
from schemas.access.tier import TierAccess
from schemas.access.traces import TraceCollector, trace_collector
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.query.fields import Fields
from schemas.query.indexed import Indexed
from schemas.query.rank import LEARNED, RankProfile, declared_profiles
from schemas.settings.fields import SettingFields


class Settings(SettingFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a process, and what several of them say together."""

    @property
    def layout(self) -> Layout:
        """Where everything lies. Raises `OperatorError` for generations that are neither a folder nor s3://..."""
        if not self.generations:
            return Layout(Path(self.home))
        return Layout(Path(self.home), object_place(self.generations, "generations") or Path(self.generations))

    @property
    def bootstrap(self) -> str:
        """Kafka's address, to be shown; clients take `kafka`."""
        return self.kafka_bootstrap or f"127.0.0.1:{self.kafka_port}"

    @property
    def kafka(self) -> KafkaAccess:
        """Kafka's address and how one gets in. Raises `OperatorError` for settings that contradict each other.

        The broker that `vitrine start` runs is open, on the loopback address.
        """
        if not self.kafka_bootstrap and self.kafka_security_protocol != "PLAINTEXT":
            raise OperatorError(
                "kafka_security_protocol is for a Kafka of your own: name it in kafka_bootstrap, or unset the protocol"
            )
        return KafkaAccess(
            self.bootstrap,
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password_file=self.kafka_sasl_password_file,
            ca=self.kafka_tls_ca,
            certificate=self.kafka_tls_certificate,
            key=self.kafka_tls_key,
            flink_secrets=str(self.layout.kafka_secrets),
        )

    @property
    def own_broker(self) -> KafkaNode | None:
        """Which of several brokers of ours this machine runs; None: the only one, or none (`runs_kafka`).

        Raises `OperatorError` for settings that contradict each other.
        """
        return kafka_node(self.kafka_node, self.kafka, binds=self.host, cluster=self.kafka_cluster)

    @property
    def runs_kafka(self) -> bool:
        """Whether a broker is among this machine's parts."""
        return not self.kafka_bootstrap or self.kafka_node > 0

    @property
    def store_server(self) -> StoreServer | None:
        """None: the stores lie in `home`. Raises `OperatorError` for a setting that names neither."""
        return store_server(
            self.store, password_file=self.store_password_file, ca=self.store_tls_ca, name=self.store_name
        )

    @property
    def trace_collector(self) -> TraceCollector | None:
        """None: nothing is traced. Raises `OperatorError` for an address that is none."""
        return trace_collector(self.traces, self.traces_ratio)

    @property
    def flink_network(self) -> FlinkNetwork | None:
        """None: Flink has one machine. Raises `OperatorError` for settings that contradict each other."""
        return flink_network(
            self.flink_address,
            self.host,
            keystore=self.flink_tls_keystore_file,
            password_file=self.flink_tls_password_file,
        )

    @property
    def partitions_of_deltas(self) -> int:
        """Partitions of index-deltas: where a product's deltas lie is `shard_of_product` of this number."""
        return self.delta_partitions or self.shards

    @property
    def indexed(self) -> Indexed:
        """What searchers keep of products, and blenders ask for. Raises `OperatorError` for what is no declaration."""
        fields = Fields.declared(self.filter_attributes)
        return Indexed(fields, tuple(self.text_attributes), self.text_language, self.picture_colours)

    @property
    def profiles(self) -> dict[str, RankProfile]:
        """The rank profiles by name, the learned one included. Raises `OperatorError` for one that cannot be."""
        declared = declared_profiles(self.rank_profiles, self.indexed.fields)
        return {**declared, LEARNED: RankProfile(learned=True)} if self.learned_rank else declared

    @property
    def tier(self) -> TierAccess:
        """Where broker and searchers are, and how one gets in. Raises `OperatorError` for an address that is none."""
        return TierAccess(
            self.host,
            self.grpc_port,
            replicas=self.replicas,
            ca=self.grpc_tls_ca,
            certificate=self.grpc_tls_certificate,
            key=self.grpc_tls_key,
            broker_address=self.broker_address,
            searcher_address=self.searcher_address,
        )

    @property
    def blender(self) -> BlenderAccess:
        """Where the blender is."""
        return BlenderAccess(self.host, self.http_port, self.tls_certificate)
