"""Random schemas out of the keywords that grammars hold, fitting together or not.

Everything is drawn from a seeded generator. Names, values and bounds come from small
pools, so that keywords meet each other's values often enough to matter.
"""

from __future__ import annotations

NAMES = ("a", "b", "kind")
VALUES = (
    None, True, False, 0, 1, 1.0, 2.5, -3, "", "a", "ab", "x-1", "2024-02-28",
    [], [1], [1, "a"], ["a", "b"], {}, {"a": 1}, {"b": 2}, {"a": "x", "b": None},
)  # fmt: skip
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
PATTERNS = (
    "^a", "b$", "^[a-z]+$", "^(\\w+\\s?)+$", "a|b", "^a$|^b$", "^(a|a?)+b*$",
    "^[^a-y]{1,3}$", "", "^$", "^([a-z]+-?)*$", "^\\d{2,4}(-\\d+)?$", "^x*?y?$",
)  # fmt: skip
FORMATS = ("date", "time", "date-time", "uuid", "ipv4", "email")
ENDS = (-2, -1, -0.5, 0, 0.25, 0.5, 0.7, 1, 1.5, 2, 10, 99, 999999999999998, 1e15)


class Schemas:
    """Schemas of one document, which may refer to its two definitions."""

    def __init__(self, chance) -> None:
        """Draw from `chance`."""
        self.chance = chance

    def document(self):
        """Give a schema with definitions."""
        schema = self.schema(3)
        if isinstance(schema, dict):
            schema["$defs"] = {"p": self.schema(2), "q": self.schema(2)}
        return schema

    def schema(self, depth):
        """Give a schema of at most so many levels."""
        chance = self.chance
        if chance.random() < 0.06:
            return chance.random() < 0.8
        schema = {}
        if chance.random() < 0.6:
            several = chance.random() < 0.2
            schema["type"] = (
                chance.sample(TYPES, 2) if several else chance.choice(TYPES)
            )
        named = schema.get("type") if isinstance(schema.get("type"), str) else None
        pools = {
            "object": [self._object], "array": [self._array], "string": [self._string],
            "number": [self._number], "integer": [self._number],
        }  # fmt: skip
        every = [self._object, self._array, self._string, self._number]
        pool = pools.get(named, every)
        for _ in range(chance.randint(0, 2)):
            chance.choice(pool)(schema, depth)
        if chance.random() < 0.15:
            values = chance.sample(VALUES, chance.randint(1, 6))
            schema.update(
                {"enum": values} if chance.random() < 0.7 else {"const": values[0]}
            )
        if depth > 0 and chance.random() < 0.4:
            key = chance.choice(["allOf", "anyOf", "oneOf"])
            parts = chance.randint(1, 3)
            schema[key] = [self.schema(depth - 1) for _ in range(parts)]
        if chance.random() < 0.12:
            schema["$ref"] = chance.choice(["#/$defs/p", "#/$defs/q", "#"])
        return schema

    def _some(self, schema, *keys, make):
        for key in keys:
            if self.chance.random() < 0.4:
                schema[key] = make()

    def _count(self):
        return self.chance.randint(0, 3)

    def _object(self, schema, depth):
        chance = self.chance
        if depth > 0 and chance.random() < 0.7:
            names = chance.sample(NAMES, chance.randint(1, 3))
            schema["properties"] = {name: self.schema(depth - 1) for name in names}
        if chance.random() < 0.5:
            schema["required"] = chance.sample(NAMES, chance.randint(0, 2))
        if depth > 0 and chance.random() < 0.4:
            schema["additionalProperties"] = self.schema(depth - 1)
        if chance.random() < 0.1:
            schema["unevaluatedProperties"] = chance.random() < 0.3
        if chance.random() < 0.3:
            self._some(schema, "minProperties", "maxProperties", make=self._count)

    def _array(self, schema, depth):
        chance = self.chance
        if depth > 0 and chance.random() < 0.6:
            schema["items"] = self.schema(depth - 1)
        if depth > 0 and chance.random() < 0.4:
            count = chance.randint(1, 2)
            schema["prefixItems"] = [self.schema(depth - 1) for _ in range(count)]
        self._some(schema, "minItems", "maxItems", make=self._count)
        if chance.random() < 0.1:
            schema["uniqueItems"] = True

    def _string(self, schema, _depth):
        chance = self.chance
        self._some(schema, "minLength", "maxLength", make=lambda: chance.randint(0, 9))
        self._some(schema, "pattern", make=lambda: chance.choice(PATTERNS))
        if chance.random() < 0.3:
            schema["format"] = chance.choice(FORMATS)

    def _number(self, schema, _depth):
        ends = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        self._some(schema, *ends, make=lambda: self.chance.choice(ENDS))
        if self.chance.random() < 0.1:
            schema["multipleOf"] = 1
