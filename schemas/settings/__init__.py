"""Settings: one frozen object a process, from one file plus the environment, read once in `main.py`.

Precedence: environment (`VITRINE_HTTP_PORT`), then `VITRINE_HOME/vitrine.toml`
(`http_port = 8000`), then the default in `fields`; of the encoder what the home
was started with comes before the default. An unknown key or a wrong type is an
`OperatorError` that names it.

Begin with `fields`; `settings` says what follows from several of them, `reading`
where values come from.
"""

from schemas.settings.reading import chosen, load_settings, settings_json
from schemas.settings.settings import Settings

__all__ = ["Settings", "chosen", "load_settings", "settings_json"]
