"""A real object store on a free port of this machine: S3Proxy over a folder, which it keeps also when it is killed."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.load.store_server import free_port
from cli.runtime.programs import REPOSITORY
from objects.client import s3_client

JARS = REPOSITORY / ".cache" / "object-store"
KEY, SECRET = "vitrine", "a secret of the tests"

_SETTINGS = """
s3proxy.authorization=aws-v4
s3proxy.identity={key}
s3proxy.credential={secret}
s3proxy.endpoint=http://127.0.0.1:{port}
jclouds.provider=filesystem-nio2
jclouds.identity=any
jclouds.credential=any
jclouds.filesystem.basedir={folder}
"""
_LOGGING = """<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%d %level %msg%n</pattern></encoder></appender>
<root level="warn"><appender-ref ref="out"/></root></configuration>"""


class ObjectStore:
    """`folder`: where it keeps its buckets, each a folder."""

    def __init__(self, folder: Path) -> None:
        assert JARS.is_dir(), f"{JARS} is missing: make setup-dev fetches it"
        self.port = free_port()
        self.folder = folder / "buckets"
        self._place = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True)
        settings = _SETTINGS.format(key=KEY, secret=SECRET, port=self.port, folder=self.folder)
        (folder / "s3proxy.conf").write_text(settings)
        (folder / "logback.xml").write_text(_LOGGING)
        self.start()

    @property
    def environment(self) -> dict[str, str]:
        """What the client library reads."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Returns once it answers."""
        place = self._place
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
                 f"-Dlogback.configurationFile={place / 'logback.xml'}",
                 "-cp", f"{JARS}/*", "org.gaul.s3proxy.Main", "--properties", str(place / "s3proxy.conf")],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, (place / "log").read_text()
            assert time.monotonic() < deadline, "the object store does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """As a machine that goes away would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def bucket(self, name: str) -> str:
        (self.folder / name).mkdir(exist_ok=True)
        return name

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return True  # it asks who calls
        except OSError:
            return False
        return True


def used(store: ObjectStore | None) -> None:
    """From now on this process's client is that store's; None: what the environment said before is gone."""
    names = (
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
    )
    for name in names:
        os.environ.pop(name, None)
    if store is not None:
        os.environ.update(store.environment)
    s3_client.cache_clear()
