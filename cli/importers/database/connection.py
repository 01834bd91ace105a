"""The way into a PostgreSQL: a connection that only reads, of one moment. No error of it holds a password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from schemas.errors import OperatorError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMES = ("postgresql://", "postgres://")
CONNECT_TIMEOUT_S = 10


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """All statements see the database as it is at the first; times come in UTC.

    Whatever `url` leaves out libpq takes from where psql does: PGPASSWORD,
    ~/.pgpass, PGSERVICE, ... Raises `OperatorError`, for what fails inside too.
    """
    try:
        import psycopg
    except ImportError as error:
        raise OperatorError(
            f"reading a PostgreSQL needs psycopg ({error}): .venv/bin/python -m pip install 'psycopg[binary]>=3.2,<4'"
        ) from error
    given = _given(url)
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "vitrine import", **given}
    try:
        with psycopg.connect(**options) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            yield connection
            connection.rollback()
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        password = str(given.get("password") or "")
        raise OperatorError(
            f"{_place(given)}: {said.replace(password, '***') if password else said}; see that psql gets in there, and "
            "import again: what was sent already changes nothing"
        ) from error


def place(url: str) -> str:
    """Host and database, to be shown."""
    return _place(_given(url))


def _place(given: Mapping[str, Any]) -> str:
    host, port = given.get("host") or "localhost", given.get("port")
    return f"PostgreSQL at {host}{f':{port}' if port else ''}{f'/{name}' if (name := given.get('dbname')) else ''}"


def _given(url: str) -> Mapping[str, Any]:
    """What the address says, by libpq's names. Raises `OperatorError` for one that is none.

    libpq's own message would quote what it stumbled over, and that may be a
    part of a password with a sign in it that has a meaning in addresses.
    """
    import psycopg

    try:
        given = psycopg.conninfo.conninfo_to_dict(url) if url.startswith(SCHEMES) else {}
    except psycopg.ProgrammingError:
        given = {}
    port, parts = str(given.get("port") or "1"), (given.get("host"), given.get("dbname"))
    if not given or not port.replace(",", "").isdigit() or any("@" in str(part) for part in parts):
        raise OperatorError(
            "--from takes the address of a PostgreSQL: postgresql://USER@HOST:PORT/DATABASE; in a password, write what "
            "is no letter or digit as %XX, or leave it to PGPASSWORD or ~/.pgpass"
        )
    return given
