"""Alternatives that begin alike: which of them it is should be said before they go on.

A kernel follows every alternative that the text so far fits. Where a type contains
itself before the property that tells it from others (`kind`), they multiply at each
level. So that property is written first: the order of an object's properties is ours.
What is still alike then is counted, and goes less deep.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.local.grammar import _cycles
from agi_agent.local.grammar._combine import values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from agi_agent.local.grammar._schema import Schema

    # A member or an element: `{` or `[`, and its name; None stands for all others.
    Step = tuple[str, str | int | None]
    # What is written, in order: schema, and whether it must be there.
    Steps = dict[Step, tuple[Any, bool]]


class Alternatives:
    """What tells the alternatives of a document apart, and what leads into itself."""

    def __init__(self, document: Any) -> None:
        """Look through the whole document."""
        self._document = document
        self.groups = _cycles.groups(document)
        self._deep: dict[str, bool] = {}
        self._telling = frozenset(self._names()) if self.groups else frozenset()

    def ordered(self, known: Schema, required: set[str]) -> Schema:
        """Give the properties of an object in the order in which they are written.

        That of the schema, but what tells alternatives apart comes before what can
        contain alternatives again.
        """
        early = [
            name
            for name, schema in known.items()
            if name in self._telling and name in required and self._values(schema)
        ]
        found: Schema = {}
        for name, schema in known.items():
            if early and self.recursive(schema):
                found.update((earlier, known[earlier]) for earlier in early)
                early = []
            found.setdefault(name, schema)
        return found

    def recursive(self, schema: Any) -> bool:
        """Say whether what a schema allows can contain itself."""
        return any(self._leads_back(pointer) for pointer in _cycles.pointers(schema))

    def alike(
        self, options: list[Any], disjoint: Callable[[Any, Any], bool]
    ) -> list[dict[Step, int]]:
        """Count for each alternative by member how many of them may be in it at once.

        Only members that can contain alternatives again, and are written before it is
        said which alternative it is.
        """
        counts: list[dict[Step, int]] = [{} for _ in options]
        for kind in "{[":
            steps = [self._steps(option, kind) for option in options]
            for one, ours in enumerate(steps):
                for other, theirs in enumerate(steps[:one]):
                    here = self._shared(ours, theirs, disjoint)
                    there = self._shared(theirs, ours, disjoint)
                    if here and there:
                        for step in here:
                            counts[one][step] = counts[one].get(step, 1) + 1
                        for step in there:
                            counts[other][step] = counts[other].get(step, 1) + 1
        return counts

    def _shared(
        self, ours: Steps, theirs: Steps, disjoint: Callable[[Any, Any], bool]
    ) -> list[Step]:
        """What texts of both may be in at once, as far as the order of one says."""
        found = []
        for step, (schema, must) in ours.items():
            kind, name = step
            if name is None:
                others = [part for part in theirs if part == step or part not in ours]
            else:
                others = [part for part in (step, (kind, None)) if part in theirs][:1]
            if self.recursive(schema) and any(
                self.recursive(theirs[part][0]) for part in others
            ):
                found.append(step)
            if not must:
                continue
            if not others:
                break
            other, wanted = theirs[others[0]]
            if wanted and (self._differ(schema, other) or disjoint(schema, other)):
                break
        return found

    def _differ(self, one: Any, other: Any) -> bool:
        """Say whether both are bound to values, and not to the same."""
        ours, theirs = self._values(one), self._values(other)
        texts = {_json_text.dumps(value) for value in ours}
        return bool(ours and theirs) and not any(
            _json_text.dumps(value) in texts for value in theirs
        )

    def _steps(self, option: Any, kind: str) -> Steps:
        """What is written of an object or an array, in order."""
        if not isinstance(option, dict):
            return {}
        steps: Steps = {}
        if kind == "{":
            properties, names = option.get("properties"), option.get("required")
            known = properties if isinstance(properties, dict) else {}
            required = set(names) if isinstance(names, list) else set()
            for name, part in self.ordered(known, required).items():
                steps[kind, name] = (part, name in required)
            free = option.get("additionalProperties")
        else:
            first = option.get("prefixItems")
            for place, part in enumerate(first if isinstance(first, list) else []):
                steps[kind, place] = (part, True)
            free = option.get("items")
        if isinstance(free, dict):
            steps[kind, None] = (free, False)
        return steps

    def _leads_back(self, pointer: str) -> bool:
        known = self._deep.get(pointer)
        if known is None:
            # What leads to itself is in a group, so that this ends.
            self._deep[pointer] = pointer in self.groups
            known = pointer in self.groups or self.recursive(self._target(pointer))
            self._deep[pointer] = known
        return known

    def _names(self) -> Iterator[str]:
        """Names of required properties whose values differ between alternatives."""
        for part in _cycles.parts(self._document):
            for key in ("anyOf", "oneOf"):
                options = part.get(key)
                if isinstance(options, list) and len(options) > 1:
                    yield from self._differing(part, options)

    def _differing(self, part: Schema, options: list[Any]) -> Iterator[str]:
        beside = {key: part[key] for key in ("properties", "required") if key in part}
        seen: dict[str, list[Any]] = {}
        for option in options:
            properties: Schema = {}
            required: set[str] = set()
            self._gather([beside, option], properties, required)
            for name in required & properties.keys():
                values = self._values(properties[name])
                if values and seen.setdefault(name, values) != values:
                    yield name

    def _gather(
        self, waiting: list[Any], properties: Schema, required: set[str]
    ) -> None:
        """Collect what an alternative says of its members, wherever it says it."""
        followed = set()
        while waiting:
            schema = waiting.pop()
            if not isinstance(schema, dict):
                continue
            pointer, known = schema.get("$ref"), schema.get("properties")
            if isinstance(pointer, str) and pointer not in followed:
                followed.add(pointer)
                waiting.append(self._target(pointer))
            if isinstance(schema.get("allOf"), list):
                waiting += schema["allOf"]
            if isinstance(known, dict):
                for name, part in known.items():
                    if self._values(part) or name not in properties:
                        properties[name] = part
            if isinstance(schema.get("required"), list):
                required.update(n for n in schema["required"] if isinstance(n, str))

    def _values(self, schema: Any) -> list[Any]:
        """The values that a property is bound to, empty where it is free."""
        waiting, followed = [schema], set()
        while waiting:
            part = waiting.pop()
            if not isinstance(part, dict):
                continue
            values = values_of(part)
            if values is not None:
                return values
            pointer = part.get("$ref")
            if isinstance(pointer, str) and pointer not in followed:
                followed.add(pointer)
                waiting.append(self._target(pointer))
            if isinstance(part.get("allOf"), list):
                waiting += part["allOf"]
        return []

    def _target(self, pointer: str) -> Any:
        try:
            return _cycles.target(self._document, pointer)
        except _cycles.MissingError:
            # Named when it is followed.
            return None
