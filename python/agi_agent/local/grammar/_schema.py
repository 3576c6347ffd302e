"""JSON Schema to rules: the dispatch over keywords.

Compact JSON only: no blanks, properties in the order of `_apart`. Each keyword is
either kept or refused by name; annotations and unknown words mean nothing to a
validator, and nothing here. A recursive `$ref` is unrolled a few times, so that the
language is finite and every text in it ends.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.local.grammar import (
    _apart,
    _combine,
    _cycles,
    _numbers,
    _objects,
    _strings,
    _valid,
    _words,
)
from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._combine import ANNOTATIONS, types_of, values_of
from agi_agent.local.grammar._rules import Rules, TooLargeError

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
_VALUES = 200_000
"""Parts of one schema, with everything that is said twice."""
_LEVELS = 16
"""How deep values of one group of types are inside of each other, of many types too."""
_READINGS = 128
"""Alternatives that a text may be in at once, multiplied over all levels."""


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
        self.place = ""
        self._values = 0
        self._moved: bool | None = None
        self.apart = _apart.Alternatives(document)
        # Levels by group, pointers that led to the value at hand, and what is known.
        self._levels: dict[int, int] = {}
        self._here: tuple[str, ...] = ()
        self._known: dict[tuple[Any, ...], str] = {}
        # How many alternatives the value at hand may be in, and its members by name.
        self._readings = 1
        self._alike: dict[_apart.Step, int] = {}
        self._counted: dict[str, list[dict[_apart.Step, int]]] = {}

    def value(
        self, schema: Any, place: str = "", step: _apart.Step | None = None
    ) -> str:
        """Give an expression for the values that a schema allows.

        Args:
            schema: The schema.
            place: Where it stands.
            step: Which part it is of the value at hand.

        Raises:
            UnsupportedSchemaError: It says something that cannot be enforced.
            ImpossibleError: It allows nothing.
        """
        before = self._here, self._readings, self._alike
        self._here = ()
        if step is not None:
            self._readings *= self._alike.get(step, 1)
        self._alike = {}
        try:
            if self._readings > _READINGS:
                why = "alternatives that begin alike are inside of each other too often"
                raise ImpossibleError(why, place)
            return self._value(schema, place)
        finally:
            self._here, self._readings, self._alike = before

    def _value(self, schema: Any, place: str) -> str:
        """The same for the value at hand, which pointers may have led to."""
        self.place = place
        self._values += 1
        if self._values > _VALUES:
            raise TooLargeError
        if schema is True:
            return self.anything(self.caps.depth)
        if schema is False:
            raise ImpossibleError("`false` allows nothing", place)
        if not isinstance(schema, dict):
            raise UnsupportedSchemaError("a schema that is not an object", place)
        pointer = schema.get("$ref")
        if pointer is not None:
            return self._reference(schema, pointer, place)
        self.refuse(schema, place)
        if "allOf" in schema:
            followed: list[str] = []
            flat = self._flat(schema, place, followed)
            return self._inside(followed, flat, place)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._alternatives(schema, key, place)
        values = values_of(schema)
        if values is not None:
            return self._listed(schema, values, place)
        return self._typed(schema, place)

    def require_ends(self) -> None:
        """Raise where a `$ref` leads back to itself without going into a value.

        Also where nothing here would follow it: validators do.
        """
        for circle in _cycles.groups(self.document, here=True):
            what = f"a `$ref` that leads back to itself (`{circle}`)"
            raise UnsupportedSchemaError(what, circle.lstrip("#"))

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

    def _resolved(self, schema: Any, place: str, followed: list[str]) -> Any:
        """Follow `$ref` and `allOf` at the top of a schema, and nothing below."""
        before = self._here
        try:
            while isinstance(schema, dict) and ("$ref" in schema or "allOf" in schema):
                if "$ref" not in schema:
                    schema = self._flat(schema, place, followed)
                    continue
                target = self.target(schema, place)
                self._here = self._further(schema["$ref"], place)
                if schema["$ref"] not in followed:
                    followed.append(schema["$ref"])
                schema = self._with_siblings(schema, target, place, followed)
            return schema
        finally:
            self._here = before

    def _further(self, pointer: str, place: str) -> tuple[str, ...]:
        """The pointers that led to the value at hand, with one more."""
        if pointer in self._here:
            what = f"a `$ref` that leads back to itself (`{pointer}`)"
            raise UnsupportedSchemaError(what, place)
        return (*self._here, pointer)

    def refuse(self, schema: Schema, place: str) -> None:
        """Raise where a keyword stands that no grammar holds."""
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
        if not any(key in schema for key in _ASSERTIONS):
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
        whole = name == "integer" or _numbers.whole(schema, place)
        bounds = _numbers.Bounds(schema, place)
        try:
            if whole:
                return _numbers.integer(self.rules, *bounds.integers(), self.caps)
            return _numbers.number(self.rules, bounds, self.caps, place)
        except ImpossibleError as error:
            raise ImpossibleError(error.why, place) from None

    def _listed(self, schema: Schema, values: list[Any], place: str) -> str:
        """`const` and `enum`: those of the values that meet the other keywords."""
        others = {k: v for k, v in schema.items() if k not in ("const", "enum")}
        values = [v for v in values if _valid.meets(self, v, others, place)]
        if not values:
            raise ImpossibleError("no value of `enum` is allowed", place)
        return _words.one_of(self.rules, map(_json_text.dumps, values))

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
        before = self._alike
        alike = self._count_alike(options, rest, f"{place}/{key}")
        for number, option in enumerate(options):
            at = f"{place}/{key}/{number}"
            self._alike = before | alike[number] if alike else before
            try:
                followed: list[str] = []
                option = self._with_rest(option, rest, at, followed)
                choices.append(self._inside(followed, option, at))
            except ImpossibleError as error:
                problem = error
            finally:
                self._alike = before
        if not choices:
            raise problem or ImpossibleError(f"`{key}` allows nothing", place)
        return self._either(choices)

    def _with_rest(
        self, option: Any, rest: Schema, place: str, followed: list[str]
    ) -> Any:
        """An alternative with what stands beside all of them."""
        if not rest.keys() - ANNOTATIONS:
            return option
        return _combine.merge(self._open(option, place, followed), rest, place)

    def _count_alike(
        self, options: list[Any], rest: Schema, place: str
    ) -> list[dict[_apart.Step, int]]:
        """What alternatives share before they are told apart, where types recur."""
        if not self.apart.groups or len(options) < 2:
            return []
        key = _json_text.dumps([options, rest])
        known = self._counted.get(key)
        if known is None:
            flat = []
            for number, option in enumerate(options):
                at = f"{place}/{number}"
                try:
                    whole = self._with_rest(option, rest, at, [])
                    flat.append(self._resolved(whole, at, []))
                except ImpossibleError:
                    flat.append(False)
            known = self.apart.alike(flat, lambda a, b: self._disjoint(a, b, place))
            self._counted[key] = known
        return known

    def _disjoint(self, one: Any, other: Any, place: str) -> bool:
        def may_meet(value: Any, schema: Any) -> bool:
            return _valid.meets(self, value, schema, place, perhaps=True)

        return _combine.disjoint(one, other, place, may_meet)

    def _require_disjoint(self, options: list[Any], place: str) -> None:
        flat = []
        for number, option in enumerate(options):
            try:
                flat.append(self._resolved(option, f"{place}/{number}", []))
            except ImpossibleError:
                flat.append(False)
        for number, one in enumerate(flat):
            for later in range(number + 1, len(flat)):
                if not self._disjoint(one, flat[later], place):
                    what = f"`oneOf` whose alternatives {number} and {later} overlap"
                    raise UnsupportedSchemaError(what, place)

    def _open(self, option: Any, place: str, followed: list[str]) -> Schema:
        """An alternative as an object that can be merged."""
        option = self._resolved(option, place, followed)
        if option is False:
            raise ImpossibleError("`false` allows nothing", place)
        if isinstance(option, dict) and option.get("unevaluatedProperties") is False:
            # It would speak of what is merged with it, too.
            raise UnsupportedSchemaError("`unevaluatedProperties` in a part", place)
        return option if isinstance(option, dict) else {}

    def _flat(self, schema: Schema, place: str, followed: list[str]) -> Schema:
        """`allOf` as one schema."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        parts = schema["allOf"]
        if not isinstance(parts, list):
            raise UnsupportedSchemaError("`allOf` that is not a list", place)
        for number, part in enumerate(parts):
            at = f"{place}/allOf/{number}"
            merged = _combine.merge(merged, self._open(part, at, followed), at)
        return merged

    def _inside(self, followed: list[str], schema: Any, place: str) -> str:
        """What a schema allows that pointers have led to."""
        before, levels = self._here, dict(self._levels)
        self._here = (*before, *followed)
        try:
            for pointer in followed:
                self._enter(pointer, place)
            return self._value(schema, place)
        finally:
            self._here, self._levels = before, levels

    def _enter(self, pointer: str, place: str) -> None:
        """Count a level of the group that a pointer belongs to."""
        group, size = self.apart.groups.get(pointer, (-1, 0))
        if size == 0:
            return
        level = self._levels.get(group, -1) + 1
        depth = self.caps.recursion * size
        if level > min(depth, max(_LEVELS, size + self.caps.recursion)):
            raise ImpossibleError(f"`{pointer}` is inside of itself too often", place)
        self._levels[group] = level

    def _reference(self, schema: Schema, pointer: Any, place: str) -> str:
        target = self.target(schema, place)
        levels_before, here = dict(self._levels), self._here
        further = self._further(pointer, place)
        self._enter(pointer, place)
        self._here = further
        try:
            siblings = {k: v for k, v in schema.items() if k not in ANNOTATIONS}
            levels = tuple(sorted(self._levels.items()))
            alike = frozenset(self._alike.items())
            key = (_json_text.dumps(siblings), levels, self._readings, alike)
            if key not in self._known:
                self._known[key] = self._referred(siblings, pointer, target, place)
            return self._known[key]
        finally:
            self._levels, self._here = levels_before, here

    def _referred(self, siblings: Schema, pointer: str, target: Any, place: str) -> str:
        inner = pointer.lstrip("#")
        if len(siblings) == 1:
            result = self._value(target, inner)
        else:
            followed: list[str] = []
            merged = self._with_siblings(siblings, target, place, followed)
            result = self._inside(followed, merged, inner)
        return self.rules.add(pointer.rpartition("/")[2] or "top", result)

    def _with_siblings(
        self, schema: Schema, target: Any, place: str, followed: list[str]
    ) -> Any:
        siblings = {
            key: value
            for key, value in schema.items()
            if key != "$ref" and key not in ANNOTATIONS
        }
        if not siblings:
            return target
        return _combine.merge(self._open(target, place, followed), siblings, place)

    def target(self, schema: Schema, place: str) -> Any:
        """Give what the `$ref` of a schema leads to.

        Raises:
            UnsupportedSchemaError: It leads out of the document, or nowhere.
        """
        pointer = schema["$ref"]
        if not isinstance(pointer, str) or pointer[:2] not in ("#", "#/"):
            raise UnsupportedSchemaError(f"`$ref` to `{pointer}`", place)
        if self._moved is None:
            self._moved = _cycles.nested_ids(self.document)
        if self._moved:
            raise UnsupportedSchemaError("`$ref` where a part has an `$id`", place)
        try:
            return _cycles.target(self.document, pointer)
        except _cycles.MissingError:
            what = f"`$ref` to `{pointer}`, which is not there"
            raise UnsupportedSchemaError(what, place) from None

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
        "minProperties", "maxProperties", "type", "format",
        "unevaluatedProperties",
    }
)  # fmt: skip
