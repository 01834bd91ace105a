"""Addresses by which whoever has them may read one object for a while."""

from __future__ import annotations

from objects.client import s3_client, worded

VALID_S = 300


def signed_url(bucket: str, key: str) -> str:
    """An http(s) URL that reads the object for `VALID_S` seconds from now. It is a secret: never log it.

    Nothing is asked of the store. Raises `ObjectsError` without credentials, `OperatorError` without boto3.
    """
    with worded(f"s3://{bucket}/{key}"):
        url: str = s3_client().generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=VALID_S
        )
    return url
