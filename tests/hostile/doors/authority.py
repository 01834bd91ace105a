"""An authority of certificates, made by openssl in a moment."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Signs certificates for clients and servers on this machine; all files are PEM, keys PKCS#8."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(self._key))
        self._openssl("req", "-x509", "-key", str(self._key), "-subj", f"/CN={name}", "-days", "2",
                      "-out", str(self.certificate))  # fmt: skip

    def issue(self, name: str, *addresses: str, host: str = "localhost") -> tuple[Path, Path]:
        """(certificate, key) for `name`, valid for 127.0.0.1, those IP addresses, and a host's name."""
        key, request, certificate, extensions = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        names = ["IP:127.0.0.1", f"DNS:{host}", *(f"IP:{address}" for address in addresses)]
        extensions.write_text(f"subjectAltName={','.join(names)}\n")
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
        self._openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}", "-out", str(request))
        self._openssl("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key),
                      "-days", "2", "-extfile", str(extensions), "-out", str(certificate))  # fmt: skip
        return certificate, key

    def renew(self, name: str, *addresses: str, host: str = "localhost") -> None:
        """Another pair in place of the one that was issued for `name`, each file put there whole."""
        certificate, key = self.issue(f"{name}-renewed", *addresses, host=host)
        key.replace(self._folder / f"{name}.key")
        certificate.replace(self._folder / f"{name}.pem")

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
