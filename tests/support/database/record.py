"""Records what the real Debezium says of `shop.sql` and `changes.sql`: `python -m tests.support.database.record`.

Needs PostgreSQL, a JDK 17 and Maven (Debezium's embedded engine and its PostgreSQL connector, 80 MB). Writes
`changes-with-schema.jsonl` and `changes-without-schema.jsonl` beside this file: `{"key": ..., "value": ...}` a line,
in the order in which Debezium told them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.database.server import HERE, NAME, PASSWORD, USER, Postgres, running

ENGINE = HERE / "debezium"
SNAPSHOT_RECORDS = 7
LAST = "Z-END"


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        jars = Path(work) / "jars"
        subprocess.run(
            ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "-f", ENGINE / "pom.xml",
             "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"],
            check=True,
        )  # fmt: skip
        for form, schema in (("with", True), ("without", False)):
            with running() as database:
                database.run_file("shop.sql")
                told = _record(database, jars, schema)
            lines = [line for line in told.splitlines() if line]
            (HERE / f"changes-{form}-schema.jsonl").write_text("\n".join(lines) + "\n")
            print(f"{len(lines)} records {form} schema", file=sys.stderr)


def _record(database: Postgres, jars: Path, schema: bool) -> str:
    """Lets the engine read the tables, then has the changes happen, until it has told the last of them."""
    properties = {
        "database.hostname": "127.0.0.1", "database.port": database.port, "database.user": USER,
        "database.password": PASSWORD, "database.dbname": NAME, "topic.prefix": "vitrine",
        "table.include.list": "shop.products,shop.pictures",
        "snapshot.include.collection.list": "shop.products,shop.pictures",
        "message.key.columns": "shop.pictures:product",
        "decimal.handling.mode": "precise" if schema else "double",
        "converter.schemas.enable": str(schema).lower(),
    }  # fmt: skip
    arguments = [f"{name}={value}" for name, value in properties.items()]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with out.open("wb") as output:
            engine = subprocess.Popen(["java", "-cp", f"{jars}/*", ENGINE / "Recorder.java", *arguments], stdout=output)
        try:
            _await(out, engine, lambda text: text.count("\n") >= SNAPSHOT_RECORDS)
            database.run_file("changes.sql")
            return _await(out, engine, lambda text: f'"{LAST}"' in text)
        finally:
            engine.terminate()
            engine.wait(60)


def _await(out: Path, engine: subprocess.Popen[bytes], done: object) -> str:
    assert callable(done)
    deadline = time.monotonic() + 180
    while not done(text := out.read_text()):
        assert engine.poll() is None, "the engine ended"
        assert time.monotonic() < deadline, f"so far: {text[-500:]}"
        time.sleep(0.2)
    return text


if __name__ == "__main__":
    main()
