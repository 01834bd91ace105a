"""The page under /docs: the OpenAPI document as plain HTML, without a script and without anything from elsewhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
:root { color-scheme: light dark; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
section { border-top: 1px solid #8886; padding: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: .8rem 0 .2rem; }
table { border-collapse: collapse; } td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
.method { font-weight: 700; margin-right: .5rem; }
"""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_START = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1><p>{summary} For programs: <a href="openapi.json">openapi.json</a>.</p>
<pre>curl -F image=@photo.jpg 'http://127.0.0.1:8000/v1/search/image?limit=5'</pre>
"""


def docs_page(document: dict[str, Any]) -> str:
    """The whole page."""
    info = document["info"]
    start = _START.format(title=escape(info["title"]), summary=escape(info.get("summary", "")), style=_STYLE)
    return "".join((start, *_operations(document), *_schemas(document), "</body></html>\n"))


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f'<section><h2><span class="method">{escape(method.upper())}</span><code>{escape(path)}</code></h2>'
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            rows = [
                (each["name"], each["in"], _words(each["schema"]), each["schema"].get("description", ""))
                for each in operation.get("parameters", ())
            ]
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                rows.append(("body", media_type, _words(content["schema"]), content["schema"].get("description", "")))
            for status, answer in operation["responses"].items():
                shown = " or ".join(
                    f"{media_type} {_words(content.get('schema', {}))}"
                    for media_type, content in answer.get("content", {}).items()
                )
                rows.append((f"answer {status}", shown, "", answer.get("description", "")))
            yield _table(rows)
            yield "</section>\n"


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        yield f'<section id="{escape(name)}"><h2>{escape(name)}</h2><p>{escape(schema.get("description", ""))}</p>'
        required = schema.get("required", ())
        yield _table(
            [
                (field, _words(facts), "" if field in required else "optional", facts.get("description", ""))
                for field, facts in schema.get("properties", {}).items()
            ]
        )
        yield "</section>\n"


def _words(schema: dict[str, Any]) -> str:
    """A schema in a few words, such as `array of Result`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_words(each) for each in schema["anyOf"])
    if "prefixItems" in schema:
        return f"array of {len(schema['prefixItems'])}: {_words(schema['prefixItems'][0])}"
    if schema.get("type") == "array":
        return f"array of {_words(schema.get('items', {}))}"
    if "properties" in schema:
        return "fields " + ", ".join(schema["properties"])
    return str(schema.get("type", ""))


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    cells = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"
