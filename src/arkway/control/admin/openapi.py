"""How is the admin API described? OpenAPI 3.1, made from the routes and the types they name.

Committed as docs/admin-openapi.json (tests/docs/test_admin_docs.py compares the two).
"""

import copy
from collections.abc import Iterable
from functools import cache
from typing import Any, get_type_hints

import msgspec

from arkway import __version__
from arkway.control.admin.credentials import COOKIE, CSRF_HEADER
from arkway.control.admin.errors import CODES
from arkway.control.admin.operation import Credential, Operation
from arkway.control.admin.shapes import ErrorDocument

_REF = "#/components/schemas/"
_CHANGES = "Change"  # what a PATCH takes: nothing of it is required


@cache
def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return the description of `operations`."""
    types = [each for each in _types(operations) if isinstance(each, type)]
    _, schemas = msgspec.json.schema_components(
        list(dict.fromkeys(types)), ref_template=_REF + "{name}"
    )
    for name, schema in schemas.items():
        if name.endswith(_CHANGES):
            schema.pop("required", None)
            for parameter in schema["properties"].values():
                parameter.pop("default", None)  # what is not given stays
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Arkway admin API",
            "version": __version__,
            "description": "Everything the console and the command line can do. Amounts are "
            "decimal text or integers of 1e-9 of the currency; lists are read in pages.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _portable(schemas),
            "responses": {"Error": _error()},
            "securitySchemes": {
                "adminToken": {"type": "http", "scheme": "bearer", "bearerFormat": "adm-..."},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: list[Any] = [ErrorDocument]
    for each in operations:
        found += [each.answer, *([each.body] if each.body else [])]
    return found


def _operation(each: Operation) -> dict[str, Any]:
    policy = each.policy
    described: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.path.split("/")[3] if each.path.count("/") > 2 else "description"],
        "parameters": [*_in_path(each), *_in_query(each), *_in_header(each)],
        "responses": {
            str(each.status): {"description": "Done.", **_content(each.answer)},
            "default": {"$ref": "#/components/responses/Error"},
        },
        "security": [],
    }
    if policy.role is not None:
        names = {Credential.TOKEN: "adminToken", Credential.SESSION: "session"}
        described["security"] = [{names[kind]: []} for kind in Credential if kind in policy.kinds]
        described["x-role"] = policy.role.value
    if each.body is not None:
        described["requestBody"] = {"required": True, **_content(each.body)}
    return described


def _in_path(each: Operation) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema} for name in each.parameters
    ]


def _in_query(each: Operation) -> list[dict[str, Any]]:
    hints = get_type_hints(each.query, include_extras=True)
    (_,), schemas = msgspec.json.schema_components([each.query], ref_template=_REF + "{name}")
    assert hints.keys() == schemas[each.query.__name__]["properties"].keys(), (
        "one parameter a field"
    )
    found = []
    for name, schema in _portable(schemas[each.query.__name__]["properties"]).items():
        schema = _inlined(schema, schemas)
        described = {"name": name, "in": "query", "required": False}
        if text := schema.pop("description", ""):
            described["description"] = text
        found.append({**described, "schema": _without_null(schema)})
    return found


def _inlined(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` with the enumerations it refers to in their place."""
    if "$ref" in schema:
        named = schemas[schema["$ref"].removeprefix(_REF)]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**{k: v for k, v in named.items() if k != "title"}, **rest}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_inlined(each, schemas) for each in schema["anyOf"]]}
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value as text: what may be null may be left out."""
    schema = dict(schema)
    if schema.get("default", 0) is None:
        del schema["default"]
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        schema = {**options[0], **schema}
        schema.pop("description", None)
    return schema


def _in_header(each: Operation) -> list[dict[str, Any]]:
    if not each.writes or each.policy.role is None:
        return []
    text = "With a session's cookie: `csrf_token` of `GET /admin/v1/session`."
    schema = {"type": "string"}
    return [{"name": CSRF_HEADER, "in": "header", "description": text, "schema": schema}]


def _content(kind: Any) -> dict[str, Any]:
    schema = {"$ref": _REF + kind.__name__} if isinstance(kind, type) else {"type": "object"}
    return {"content": {"application/json": {"schema": schema}}}


def _error() -> dict[str, Any]:
    lines = [f"- {status} `{code}`: {meaning}" for code, (status, meaning) in CODES.items()]
    return {"description": "Not done.\n\n" + "\n".join(lines), **_content(ErrorDocument)}


def _portable(schema: Any) -> Any:
    """Return a schema whose patterns any engine of ECMA 262 reads: a plain `$` at the end."""
    found = copy.deepcopy(schema)
    waiting = [found]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("pattern"), str):
                item["pattern"] = item["pattern"].replace("\\Z", "$")
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found
