"""What lets a client in at the front: keys of each role, and certificates of the blenders and of the balancer."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from cli.runtime.environment import child_environment
from schemas.access.api_keys import Role
from schemas.settings import load_settings
from tests.hostile.doors.authority import Authority

NAME = "search.shop.example"
"""What the certificates are for, and what the balancer asks the blenders' health by."""


class FrontDoor:
    """`address`: of the host where both are. Files lie below `folder`."""

    def __init__(self, folder: Path, address: str) -> None:
        self._authority = Authority(folder / "front", "front")
        self._folder = folder / "front"
        self._address = address
        self._keys_file = self._folder / "keys.json"
        self._certificate, self._key = self._authority.issue("blenders", address, host=NAME)
        self._front_pem = self._folder / "front.pem"
        certificate, key = self._authority.issue("balancer", address, host=NAME)
        self._front_pem.write_bytes(certificate.read_bytes() + key.read_bytes())
        self.trusting = ssl.create_default_context(cafile=str(self._authority.certificate))
        self._keys = {role: self._command("add", f"{role} of the drill", "--role", role) for role in Role}

    @property
    def settings(self) -> dict[str, Any]:
        """Of a blender behind it."""
        return {
            "allowed_hosts": [NAME],
            "api_keys_file": str(self._keys_file),
            "tls_certificate": str(self._certificate),
            "tls_key": str(self._key),
        }

    @property
    def balancing(self) -> dict[str, str]:
        """Variables of docker/haproxy/haproxy.cfg."""
        return {
            "VITRINE_HEALTH_HOST": NAME,
            "VITRINE_FRONT_PEM": str(self._front_pem),
            "VITRINE_BLENDERS_CA": str(self._authority.certificate),
        }

    def headers(self, role: Role) -> dict[str, str]:
        return {"authorization": f"Bearer {self._keys[role]}"}

    def get(self, url: str, role: Role | None = None) -> httpx.Response:
        headers = self.headers(role) if role else {}
        return httpx.get(url, headers=headers, verify=self.trusting, timeout=10, trust_env=False)

    def revoke(self, role: Role) -> None:
        self._command("revoke", self._keys[role].split("_")[1])

    def renew(self) -> None:
        """The blenders' certificate; they go on."""
        self._authority.renew("blenders", self._address, host=NAME)

    def _command(self, *arguments: str) -> str:
        """What `vitrine keys` prints last."""
        settings = load_settings({}, home=str(self._folder), api_keys_file=str(self._keys_file))
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "keys", *arguments],
            env=child_environment(settings),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]
