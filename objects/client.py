"""The client of the object store, made from the environment, and its errors in words of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from schemas.errors import OperatorError, TransientError

CONNECT_S = 5.0
READ_S = 15.0
ATTEMPTS = 3
CONNECTIONS = 16

_MISSING = frozenset(("404", "NoSuchKey", "NotFound"))
_CHANGED = frozenset(("412", "PreconditionFailed", "409", "ConditionalRequestConflict"))
_REFUSED = frozenset(("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"))
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role that may"


class ObjectsError(TransientError, OSError):
    """The store did not do what it was asked to. An `OSError` as well: whoever reads files expects those."""


class ChangedError(Exception):
    """An object is not, or no longer, what it was taken for; nothing was written."""


@lru_cache(maxsize=1)
def s3_client() -> Any:
    """One for the process; any thread may use it. Raises `OperatorError` where boto3 is not installed."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise OperatorError(
            "an object store (s3://...) is asked for, and boto3, which speaks to it, is not installed: "
            'install "vitrine[s3]" (or boto3) into the environment that Vitrine runs in'
        ) from error
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        signature_version="s3v4",
        # Files have checksums of ours; those of the library's are not known to every server.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # Requests are signed for a region also where the server knows none.
    region = boto3.session.Session().region_name or "us-east-1"
    return boto3.session.Session().client("s3", region_name=region, config=config)


@contextmanager
def worded(what: str) -> Iterator[None]:
    """Errors of the library about `what` (s3://bucket/key) as `FileNotFoundError`, `ChangedError`, `ObjectsError`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        raise _answered(what, error.response.get("Error", {})) from error
    except NoCredentialsError as error:
        raise ObjectsError("objects_refused", f"{what}: there are no credentials; set {_CREDENTIALS}") from error
    except (HTTPClientError, EndpointConnectionError) as error:
        raise ObjectsError(
            "objects_unreachable", f"{what}: {error}; is the server there that AWS_ENDPOINT_URL names?"
        ) from error
    except (BotoCoreError, Boto3Error) as error:
        raise ObjectsError("objects_failed", f"{what}: {error}") from error


def _answered(what: str, error: Any) -> Exception:
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if code in _MISSING:
        return FileNotFoundError(f"{what} is not there")
    if code in _CHANGED:
        return ChangedError(what)
    if code == "NoSuchBucket":
        return ObjectsError("bucket_missing", f"{what}: there is no such bucket; create it, or name another one")
    if code in _REFUSED:
        return ObjectsError("objects_refused", f"{what}: {code} {message}; set {_CREDENTIALS} read and write there")
    return ObjectsError("objects_failed", f"{what}: {code} {message}")
