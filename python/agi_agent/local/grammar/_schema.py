"""JSON Schema to rules: the dispatch over keywords.

Compact JSON only: no blanks, properties in the order of the schema. Each keyword is
either kept or refused by name; annotations and unknown words mean nothing to a
validator, and nothing here. A recursive `$ref` is unrolled a few times, so that the
language is finite and every text in it ends.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.local.grammar import _combine, _numbers, _objects, _strings
from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._combine import ANNOTATIONS, TYPES, types_of, values_of
from agi_agent.local.grammar._rules import Rules, literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Schema = dict[str, Any]

_REFUSED = (
    "not", "if", "then", "else", "contains", "minContains", "maxContains",
    "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas",
    "dependencies", "unevaluatedItems", "$dynamicRef", "$recursiveRef",
    "additionalItems",
)  # fmt: skip
_REFERENCES = 64
"""`$ref` to `$ref` to … so often is a circle."""


class Builder:
    """One schema on its way into rules."""

    def __init__(
        self, document: Any, rules: Rules, caps: Caps, *, spaced: bool = False
    ) -> None:
        """Take the document that `$ref` points into.

        With `spaced` one blank may stand behind a colon or a comma, as Python writes
        JSON and many models have learnt it.
        """
        self.document = document
        self.rules = rules
        self.caps = caps
        self.colon = '":" " "?' if spaced else '":"'
        self.comma = '"," " "?' if spaced else '","'
        self._active: dict[str, int] = {}
        self._known: dict[tuple[Any, ...], str] = {}

    def value(self, schema: Any, place: str = "") -> str:
        """Give an expression for the values that a schema allows.

        Raises:
            UnsupportedSchemaError: It says something that cannot be enforced.
            ImpossibleError: It allows nothing.
        """
        if schema is True:
            return self.anything(self.caps.depth)
        if schema is False:
            raise ImpossibleError("`false` allows nothing", place)
        if not isinstance(schema, dict):
            raise UnsupportedSchemaError("a schema that is not an object", place)
        pointer = schema.get("$ref")
        if pointer is not None:
            return self._reference(schema, pointer, place)
        self._refuse(schema, place)
        if "allOf" in schema:
            return self.value(self._flat(schema, place), place)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._alternatives(schema, key, place)
        values = values_of(schema)
        if values is not None:
            return self._listed(schema, values, place)
        return self._typed(schema, place)

    def anything(self, depth: int) -> str:
        """Give an expression for any JSON value of at most so many levels."""
        text = _strings.string(self.rules, {}, self.caps, "")
        digits = _numbers.number(self.rules, _numbers.Bounds({}, ""), self.caps, "")
        choices = ['"true"', '"false"', '"null"', digits, text]
        if depth > 0:
            below = self.anything(depth - 1)
            choices.append(_objects.free(self, below))
            choices.append(_objects.listing(self, below, 0, self.caps.array))
        return self.rules.add("value", " | ".join(choices))

    def resolved(self, schema: Any, place: str) -> Any:
        """Follow `$ref` and `allOf` at the top of a schema, and nothing below."""
        for _ in range(_REFERENCES):
            if not isinstance(schema, dict):
                return schema
            if "$ref" in schema:
                schema = self._with_siblings(schema, self._target(schema, place), place)
            elif "allOf" in schema:
                schema = self._flat(schema, place)
            else:
                return schema
        raise UnsupportedSchemaError("a `$ref` that leads back to itself", place)

    def _refuse(self, schema: Schema, place: str) -> None:
        for key in _REFUSED:
            empty = key == "patternProperties" and not schema.get(key)
            if key in schema and not empty:
                raise UnsupportedSchemaError(f"`{key}`", place)
        if schema.get("unevaluatedProperties", False) not in (False, True):
            raise UnsupportedSchemaError("`unevaluatedProperties`", place)

    def _typed(self, schema: Schema, place: str) -> str:
        choices = []
        problem: ImpossibleError | None = None
        types = types_of(schema, place)
        if types == TYPES and not any(key in schema for key in ("type", "format")):
            return self.anything(self.caps.depth)
        for name in types:
            if name == "integer" and "number" in types:
                continue
            try:
                choices.append(self._of_type(name, schema, place))
            except ImpossibleError as error:
                problem = error
        if not choices:
            raise problem or ImpossibleError("`type` is empty", place)
        return choices[0] if len(choices) == 1 else self._either(choices)

    def _of_type(self, name: str, schema: Schema, place: str) -> str:
        if name == "object":
            return _objects.object_(self, schema, place)
        if name == "array":
            return _objects.array(self, schema, place)
        if name == "string":
            return _strings.string(self.rules, schema, self.caps, place)
        if name in ("integer", "number"):
            return self._number(name, schema, place)
        return (
            '"null"' if name == "null" else self.rules.add("bool", '"true" | "false"')
        )

    def _number(self, name: str, schema: Schema, place: str) -> str:
        step = schema.get("multipleOf")
        if step is not None and step != 1:
            raise UnsupportedSchemaError(f"`multipleOf` {step}", place)
        bounds = _numbers.Bounds(schema, place)
        try:
            if name == "integer" or step is not None:
                return _numbers.integer(self.rules, *bounds.integers(), self.caps)
            return _numbers.number(self.rules, bounds, self.caps, place)
        except ImpossibleError as error:
            raise ImpossibleError(error.why, place) from None

    def _listed(self, schema: Schema, values: list[Any], place: str) -> str:
        """`const` and `enum`: those of the values that meet the other keywords."""
        extra = schema.keys() - ANNOTATIONS - {"const", "enum", "type", "format"}
        known = [key for key in extra if key in _ASSERTIONS]
        if known and types_of(schema, place) != ("object",):
            raise UnsupportedSchemaError(f"`enum` together with `{known[0]}`", place)
        if "const" in schema and "enum" in schema:
            values = [v for v in schema["enum"] if _combine.same(v, schema["const"])]
        if "type" in schema:
            values = [v for v in values if _combine.is_of(v, types_of(schema, place))]
        if not values:
            raise ImpossibleError("no value of `enum` is allowed", place)
        return self._either([literal(_json_text.dumps(value)) for value in values])

    def _alternatives(self, schema: Schema, key: str, place: str) -> str:
        """`anyOf` and `oneOf`, with what stands beside them put into each."""
        rest = {k: v for k, v in schema.items() if k != key}
        options = schema[key]
        if not isinstance(options, list) or not options:
            raise UnsupportedSchemaError(f"`{key}` that is not a list", place)
        if key == "oneOf":
            self._require_disjoint(options, f"{place}/oneOf")
        choices = []
        problem: ImpossibleError | None = None
        for number, option in enumerate(options):
            at = f"{place}/{key}/{number}"
            try:
                if rest.keys() - ANNOTATIONS:
                    option = _combine.merge(self._open(option, at), rest, at)
                choices.append(self.value(option, at))
            except ImpossibleError as error:
                problem = error
        if not choices:
            raise problem or ImpossibleError(f"`{key}` allows nothing", place)
        return self._either(choices)

    def _require_disjoint(self, options: list[Any], place: str) -> None:
        flat = [self.resolved(option, place) for option in options]
        for number, one in enumerate(flat):
            for later in range(number + 1, len(flat)):
                if not _combine.disjoint(one, flat[later], place):
                    what = f"`oneOf` whose alternatives {number} and {later} overlap"
                    raise UnsupportedSchemaError(what, place)

    def _open(self, option: Any, place: str) -> Schema:
        """An alternative as an object that can be merged."""
        option = self.resolved(option, place)
        if option is False:
            raise ImpossibleError("`false` allows nothing", place)
        return option if isinstance(option, dict) else {}

    def _flat(self, schema: Schema, place: str) -> Schema:
        """`allOf` as one schema."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        parts = schema["allOf"]
        if not isinstance(parts, list):
            raise UnsupportedSchemaError("`allOf` that is not a list", place)
        for number, part in enumerate(parts):
            at = f"{place}/allOf/{number}"
            merged = _combine.merge(merged, self._open(part, at), at)
        return merged

    def _reference(self, schema: Schema, pointer: Any, place: str) -> str:
        target = self._target(schema, place)
        depth = self._active.get(pointer, 0)
        if depth > self.caps.recursion:
            raise ImpossibleError(f"`{pointer}` is inside of itself too often", place)
        siblings = {k: v for k, v in schema.items() if k != "$ref"}
        bare = not siblings.keys() - ANNOTATIONS
        key = (pointer, tuple(sorted((p, n) for p, n in self._active.items() if n)))
        if bare and key in self._known:
            return self._known[key]
        self._active[pointer] = depth + 1
        try:
            merged = target if bare else self._with_siblings(schema, target, place)
            result = self.value(merged, pointer.lstrip("#"))
        finally:
            self._active[pointer] = depth
        if bare:
            result = self.rules.add(pointer.rpartition("/")[2] or "top", result)
            self._known[key] = result
        return result

    def _with_siblings(self, schema: Schema, target: Any, place: str) -> Any:
        siblings = {
            key: value
            for key, value in schema.items()
            if key != "$ref" and key not in ANNOTATIONS
        }
        if not siblings:
            return target
        return _combine.merge(self._open(target, place), siblings, place)

    def _target(self, schema: Schema, place: str) -> Any:
        pointer = schema["$ref"]
        if not isinstance(pointer, str) or pointer[:2] not in ("#", "#/"):
            raise UnsupportedSchemaError(f"`$ref` to `{pointer}`", place)
        found = self.document
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and step in found:
                found = found[step]
            elif (
                isinstance(found, list) and step.isdecimal() and int(step) < len(found)
            ):
                found = found[int(step)]
            else:
                what = f"`$ref` to `{pointer}`, which is not there"
                raise UnsupportedSchemaError(what, place)
        return found

    def _either(self, choices: list[str]) -> str:
        unique = list(dict.fromkeys(choices))
        return (
            unique[0] if len(unique) == 1 else self.rules.add("any", " | ".join(unique))
        )


_ASSERTIONS = frozenset(
    {
        "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "items", "prefixItems", "minItems",
        "maxItems", "uniqueItems", "properties", "required", "additionalProperties",
        "minProperties", "maxProperties",
    }
)  # fmt: skip
