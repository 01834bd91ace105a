"""Where Kafka is, and how one gets in: the settings `kafka_*` as one value that every client takes.

It names files and holds no secret, so that it may be logged, pickled into a
job and shown; whoever connects reads the files at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import OperatorError


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """`addresses`: host:port[,host:port]. The files are PEM, the password's is its text; see `Settings`.

    `flink_secrets`: the file in which a job's client leaves password and key for Flink's own clients.
    """

    addresses: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    flink_secrets: str = ""

    def __post_init__(self) -> None:
        """Raises `OperatorError` for settings that contradict each other."""
        if not self.encrypted and (self.ca or self.certificate or self.key):
            raise OperatorError("kafka_tls_* is set but not used: set kafka_security_protocol to SSL or SASL_SSL")
        if bool(self.certificate) != bool(self.key):
            raise OperatorError("kafka_tls_certificate and kafka_tls_key belong together: set both or neither")
        if self.authenticated and not (self.username and self.password_file):
            raise OperatorError(
                f"{self.protocol} needs kafka_sasl_username and kafka_sasl_password_file, a file with the password"
            )
        if not self.authenticated and (self.username or self.password_file):
            raise OperatorError("kafka_sasl_* is set but not used: set kafka_security_protocol to SASL_SSL")

    @property
    def encrypted(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def authenticated(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def password(self) -> str:
        """Read now; the newline at the end of the file is not part of it."""
        password = secret_text(self.password_file, "kafka_sasl_password_file").rstrip("\r\n")
        if not password:
            raise OperatorError(f"{self.password_file} is empty; write Kafka's password into it")
        return password

    def private_key(self) -> str:
        """The text of `key`, read now. Raises `OperatorError` for one that Java does not read."""
        text = secret_text(self.key, "kafka_tls_key")
        if "-----BEGIN PRIVATE KEY-----" not in text:
            raise OperatorError(
                f"{self.key} (kafka_tls_key) is no PKCS#8 key without a password, which Kafka's Java client needs: "
                "openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
            )
        return text

    def __str__(self) -> str:
        return self.addresses


Kafka = KafkaAccess | str
"""What a client takes; a plain address is a Kafka that asks nobody who they are."""


def access_to(kafka: Kafka) -> KafkaAccess:
    return KafkaAccess(kafka) if isinstance(kafka, str) else kafka


def secret_text(file: str, setting: str) -> str:
    """Contents of a file that a setting names. Raises `OperatorError` naming both, never the contents."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OperatorError(f"{file} ({setting}) cannot be read: {reason}; mend the file or the setting") from error
