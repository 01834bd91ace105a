"""Product ids in paths: any text, with slashes and line breaks, of which Starlette's own `path` takes no breaks."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor

PRODUCT = "/v1/products/{product_id:product}"
"""A route's path up to the product. Importing this module makes the convertor known."""


class _ProductId(Convertor[str]):
    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("product", _ProductId())
