"""The rule for addresses that other machines reach: keys and encryption, or a word that it is meant to be open."""

from __future__ import annotations

from schemas.access.hosts import is_loopback
from schemas.errors import OperatorError
from schemas.settings import Settings


def check_http_exposure(settings: Settings) -> None:
    """For the blender. Raises `OperatorError` when it would answer other machines without keys and TLS."""
    wanted = {
        "api_keys_file": settings.api_keys_file,
        "tls_certificate": settings.tls_certificate,
        "tls_key": settings.tls_key,
    }
    _check(settings, "search over HTTP", wanted)


def check_grpc_exposure(settings: Settings) -> None:
    """For broker and searchers. Raises `OperatorError` when they would answer other machines without certificates."""
    wanted = {
        "grpc_tls_ca": settings.grpc_tls_ca,
        "grpc_tls_certificate": settings.grpc_tls_certificate,
        "grpc_tls_key": settings.grpc_tls_key,
    }
    _check(settings, "gRPC between the services", wanted)


def check_flink_exposure(settings: Settings) -> None:
    """For a Flink over several machines. Raises `OperatorError` when whoever reaches it could have it run code."""
    if settings.flink_network is not None:
        wanted = {
            "flink_tls_keystore_file": settings.flink_tls_keystore_file,
            "flink_tls_password_file": settings.flink_tls_password_file,
        }
        _check(settings, "Flink, which runs the code it is given,", wanted)


def check_kafka_exposure(settings: Settings) -> None:
    """For one of several brokers of ours. Raises `OperatorError` when whoever reaches it could read and write it."""
    if settings.own_broker is not None:
        encrypted = settings.kafka_security_protocol != "PLAINTEXT"
        wanted = {
            "kafka_security_protocol": settings.kafka_security_protocol if encrypted else "",
            "kafka_tls_ca": settings.kafka_tls_ca,
            "kafka_tls_certificate": settings.kafka_tls_certificate,
            "kafka_tls_key": settings.kafka_tls_key,
        }
        if encrypted and (missing := [name for name, value in wanted.items() if not value]):
            raise OperatorError(f"Kafka's broker needs {', '.join(missing)}: by certificates it knows who may connect")
        _check(settings, "Kafka", wanted)


def open_host(settings: Settings) -> str:
    """Where a server listens that has neither keys nor encryption (metrics): on the loopback address unless told so."""
    return settings.host if is_loopback(settings.host) or settings.allow_open_address else "127.0.0.1"


def _check(settings: Settings, what: str, wanted: dict[str, str]) -> None:
    missing = [name for name, value in wanted.items() if not value]
    if is_loopback(settings.host) or settings.allow_open_address or not missing:
        return
    raise OperatorError(
        f"{what} would be open to every machine that reaches {settings.host or 'any address'}: "
        f"set {', '.join(missing)} (docs/operations.md), VITRINE_HOST=127.0.0.1, or, where the network in between is "
        "closed by other means, VITRINE_ALLOW_OPEN_ADDRESS=true"
    )
