"""Where the blender is, and whose certificate it shows: what a client on this machine needs to speak HTTP with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from schemas.access.hosts import near_host
from schemas.errors import OperatorError


@dataclass(frozen=True, slots=True)
class BlenderAccess:
    """`host`: what it binds to. `certificate`: PEM, with which HTTP is HTTPS; empty: none."""

    host: str
    port: int
    certificate: str = ""

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{near_host(self.host)}:{self.port}"

    def trust(self) -> ssl.SSLContext | bool:
        """For `httpx(verify=...)`: the blender's own certificate, by whatever name it was made out.

        Without one there is nothing to trust, and no authorities are loaded: 20 ms of processor, and polls ask often.
        """
        if not self.certificate:
            return False
        try:
            context = ssl.create_default_context(cafile=self.certificate)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(f"tls_certificate {self.certificate} cannot be read ({error})") from error
        context.check_hostname = False  # it is reached by its loopback address
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself, whoever signed it
        return context
