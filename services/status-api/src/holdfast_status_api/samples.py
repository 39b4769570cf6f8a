"""Documents that show what a model takes: what has to be there, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_Schema = Mapping[str, Any]


def sample_of(model: type[BaseModel]) -> Any:
    """Return a JSON document of the types that the model asks for, each yes or no a yes.

    Texts are left to be filled in: they are dots.
    """
    schema = model.model_json_schema()
    return _sample(schema, schema.get("$defs", {}))


def _sample(schema: _Schema, definitions: Mapping[str, _Schema]) -> Any:
    if "$ref" in schema:
        return _sample(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return schema["const"]
    for several in ("enum", "examples"):
        if schema.get(several):
            return schema[several][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _sample(schema[choice][0], definitions)
    return _of_type(schema, definitions)


def _of_type(schema: _Schema, definitions: Mapping[str, _Schema]) -> Any:
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {})
            return {
                name: _sample(members[name], definitions) for name in schema.get("required", ())
            }
        case "array":
            return [_sample(schema.get("items", {}), definitions)] * schema.get("minItems", 0)
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "string":
            return "…" * max(1, schema.get("minLength", 1))
        case _:
            return None
