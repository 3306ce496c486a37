"""The reference as a page for people: made from the OpenAPI document, without scripts. Pure.

Pages that draw such documents in the browser are on PyPI only inside web frameworks of their own;
this one needs none, and no rights beyond its own style.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

STYLE = """\
:root { color-scheme: light dark; --line: #8884; --soft: #8882 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: 6px }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left;
  vertical-align: top }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0;
  padding: .5rem .75rem }
summary { cursor: pointer }
.method { display: inline-block; min-width: 4rem; font-weight: 600 }
.lines { white-space: pre-line }
"""

Json = dict[str, Any]


def page(document: Json) -> str:
    """Return the page of an OpenAPI document of ours."""
    return "\n".join(_page(document))


def _page(document: Json) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{title}: HTTP API</title>"
    yield '<link rel="stylesheet" href="/docs/style.css"></head><body>'
    yield f"<h1>{title}: HTTP API</h1><p>{_text(info['description'])}</p>"
    yield '<p>For programs: <a href="/v1/openapi.json">openapi.json</a>.</p><h2>Operations</h2>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(method.upper(), path, operation)
    yield "<h2>Keys and tokens</h2>"
    for scheme in document["components"]["securitySchemes"].values():
        yield f"<p><code>Authorization: Bearer {escape(scheme['bearerFormat'])}</code></p>"
        yield f'<p class="lines">{_text(scheme["description"])}</p>'
    yield "<h2>Types</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</body></html>"


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f'<details id="{name}"><summary><span class="method">{method}</span>'
    yield f"<code>{escape(path)}</code> {_text(operation['summary'])}</summary>"
    yield f"<p>{_text(operation.get('description', ''))} <code>{name}</code></p>"
    if operation["parameters"]:
        yield "<table><tr><th>Parameter</th><th>In</th><th>What it is</th></tr>"
        for each in operation["parameters"]:
            told = each.get("description") or _compact(each["schema"])
            yield f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td>"
            yield f"<td>{_text(told)}</td></tr>"
        yield "</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<p>Takes {_reference(content['schema'])}.</p>"
    yield "<table><tr><th>Status</th><th>What it means</th><th>What comes</th></tr>"
    for status, response in operation["responses"].items():
        (content,) = response["content"].values()
        yield f'<tr><td>{status}</td><td class="lines">{_text(response["description"])}</td>'
        yield f"<td>{_reference(content['schema'])}</td></tr>"
    yield "</table></details>"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f'<details id="type-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
    yield f"<p>{_text(schema.get('description', ''))}</p>"
    rest = {key: value for key, value in schema.items() if key not in ("title", "description")}
    pretty = msgspec.json.format(msgspec.json.encode(rest), indent=2).decode()
    yield f"<pre>{escape(pretty)}</pre></details>"


def _reference(schema: Json) -> str:
    if "$ref" not in schema:
        return f"<code>{escape(_compact(schema))}</code>"
    name = escape(schema["$ref"].rpartition("/")[2])
    return f'<a href="#type-{name}"><code>{name}</code></a>'


def _compact(schema: Json) -> str:
    return msgspec.json.encode(schema).decode()


def _text(text: str) -> str:
    """Return `text` as HTML: what stands between backquotes is code."""
    parts = escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
