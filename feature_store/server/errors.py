"""What the server's errors mean here."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from schemas.errors import OperatorError, TransientError, VitrineError


def translated(error: Exception, address: str) -> VitrineError:
    """The error that an operator can act on. `address`: of the server, host:port."""
    text = str(error)
    if isinstance(error, AuthenticationError | AuthenticationWrongNumberOfArgsError):
        return OperatorError(
            f"the store's server {address} does not let us in ({text}); mend the user in VITRINE_STORE or the password "
            f"in the file that VITRINE_STORE_PASSWORD_FILE names"
        )
    if isinstance(error, NoPermissionError):
        return OperatorError(
            f"the store's server {address} does not allow its user what a store needs ({text}); allow it all commands "
            f"on the keys of VITRINE_STORE_NAME"
        )
    if isinstance(error, OutOfMemoryError):
        return OperatorError(f"the store's server {address} is full ({text}); give it more memory and start again")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return OperatorError(
            f"the store's server {address} shows a certificate that is not accepted ({text}); name the authority that "
            f"signed it in VITRINE_STORE_TLS_CA"
        )
    if isinstance(error, ResponseError) and "unknown command" in text.lower():
        return OperatorError(f"the store's server {address} is too old for a store ({text}); wanted: {WANTED}")
    if isinstance(error, ReadOnlyError):
        text = f"{text} It has become a replica"
    return TransientError(
        "store_unavailable",
        f"the store's server {address}: {text}; start it, or read its log if it runs, and see VITRINE_STORE",
    )


WANTED = "Apache Kvrocks 2.4, Valkey 7.2 or Redis 6.2, or a later one"
