"""Schemas that tests of the grammar use: what they allow, what they do not, by name."""

from __future__ import annotations

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "parent": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "children"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS = {
    "anything": True,
    "empty": {},
    "types": {"type": ["string", "null", "integer"]},
    "string": {"type": "string", "minLength": 2, "maxLength": 5},
    "long": {"type": "string", "minLength": 70, "maxLength": 150},
    "exact": {"type": "string", "minLength": 3, "maxLength": 3},
    "enum": {"enum": ["a", 'q"\\', 1, 1.5, None, True, {"x": [1]}]},
    "const": {"const": {"deep": ["\u00e9\n", 2]}},
    "typed enum": {"type": "string", "enum": ["a", 1]},
    "integer": {"type": "integer"},
    "from": {"type": "integer", "minimum": 7},
    "to": {"type": "integer", "maximum": -3},
    "range": {"type": "integer", "minimum": -17, "maximum": 1205},
    "exclusive": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 11},
    "huge": {"type": "integer", "minimum": 10**20},
    "uint": {"type": "integer", "format": "uint32", "minimum": 0},
    "number": {"type": "number"},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "positive": {"type": "number", "exclusiveMinimum": 0},
    "negative": {"type": "number", "maximum": -1.5},
    "around": {"type": "number", "exclusiveMinimum": -2, "exclusiveMaximum": 2.5},
    "whole": {"type": "number", "multipleOf": 1, "maximum": 9},
    "fraction": {"type": "number", "minimum": 0.5, "maximum": 0.7},
    "across": {"type": "number", "exclusiveMinimum": -0.25, "maximum": 11.125},
    "narrow": {
        "type": "number",
        "minimum": 99999999999999,
        "exclusiveMaximum": 100000000000001,
    },
    "listed": {
        "enum": ["a", "bb", 3, {"a": 1}, {"b": 2}], "minLength": 2, "required": ["a"],
    },
    "layers": {
        "type": "array",
        "allOf": [
            {"prefixItems": [{"type": "number"}]},
            {"items": {"type": "integer"}, "maxItems": 3},
        ],
    },
    "one of unlike": {
        "oneOf": [
            {"enum": ["x", "y"]},
            {
                "type": "object",
                "properties": {"k": {"type": "integer"}},
                "required": ["k"],
            },
        ]
    },
    "few members": {"maxProperties": 1},
    "no members": {"unevaluatedProperties": False},
    "ambiguous pattern": {"type": "string", "pattern": "^(\\w+\\s?)+$"},
    "array": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
    "at most": {"type": "array", "items": {"type": "null"}, "maxItems": 3},
    "none": {"type": "array", "maxItems": 0},
    "any items": {"type": "array"},
    "tuple": {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "open tuple": {
        "prefixItems": [{"type": "null"}],
        "items": {"type": "boolean"},
        "minItems": 3,
    },
    "object": {
        "type": "object",
        "properties": {
            "a": {"type": "string"}, "b": {"type": "integer"}, "c": {}, "d": True,
        },
        "required": ["b"],
    },
    "closed": {
        "type": "object",
        "properties": {"x": {"type": "null"}, "y": {"type": "boolean"}},
        "additionalProperties": False,
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "mixed map": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "idea": {"type": "null"}},
        "required": ["id"],
        "additionalProperties": {"type": "string"},
    },
    "free": {"type": "object"},
    "not empty": {"type": "object", "minProperties": 1, "additionalProperties": True},
    "required only": {"required": ["q"]},
    "any of": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 3}]},
    "one of": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, kind: {"type": "integer"}},
                "required": ["kind", kind],
            }
            for kind in ("a", "b")
        ]
    },
    "siblings": {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "anyOf": [
            {"properties": {"a": {"type": "null"}}, "required": ["a"]},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ],
    },
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "number"}}},
            {"properties": {"a": {"minimum": 0, "type": "integer"}}, "required": ["a"]},
        ]
    },
    "reference": {
        "type": "object",
        "properties": {"p": {"$ref": "#/definitions/p", "description": "d"}},
        "definitions": {"p": {"type": "integer", "minimum": 1}},
        "required": ["p"],
    },
    "reference with more": {
        "$ref": "#/$defs/n", "maximum": 5, "$defs": {"n": {"type": "integer"}},
    },
    "tree": TREE,
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-\\d+(\\.\\w|[^a-z\"])?$"},
    "loose pattern": {"type": "string", "pattern": "ab|^c"},
    "quoted pattern": {"type": "string", "pattern": "^\\S\\s[\\\\\"/\\n-][^x]\\D.$"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "date-time": {"type": "string", "format": "date-time"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "nested": {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"v": {"type": ["number", "null"]}},
                    "required": ["v"],
                    "additionalProperties": False,
                },
                "minItems": 1,
            }
        },
        "required": ["rows"],
    },
}  # fmt: skip
