"""Carries a plan as far as the results in the conversation reach."""

from __future__ import annotations

from agi_agent.builtin._plan import source_of
from agi_agent.builtin._step import StepFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agi_agent.builtin._step import Call, Result, Step, Value


class Progress:
    """Where a plan stands.

    Attributes:
        calls: What has to be called next; empty when the plan has ended.
        values: The values of the steps that are done, in order.
        used: Indices of steps whose value a later step took, with what that step took.
        failure: What failed, if the plan ended early.
        left: How many steps were not done because of it.
    """

    def __init__(self) -> None:
        """Nothing done yet."""
        self.calls: list[Call] = []
        self.values: list[Value] = []
        self.used: dict[int, tuple[str, ...]] = {}
        self.failure = ""
        self.left = 0


def replay(
    steps: Sequence[Step], results: Sequence[Result], attached: Value | None
) -> Progress:
    """Runs the steps with the results that are there.

    Args:
        steps: The plan.
        results: Results of the calls made so far, in order.
        attached: What "it" means where no earlier step gives it.

    Returns:
        The calls to make next, or the values of all steps, or what failed.
    """
    progress = Progress()
    at = 0
    for number, step in enumerate(steps):
        given: Value | None = None
        if step.needs:
            source = source_of(steps, number)
            given = attached
            if source is not None:
                given = progress.values[source]
                progress.used[source] = step.needs
        running = step.run(given)
        try:
            calls = next(running)
            while True:
                if at + len(calls) > len(results):
                    progress.calls = calls
                    return progress
                batch = list(results[at : at + len(calls)])
                at += len(calls)
                calls = running.send(batch)
        except StopIteration as end:
            progress.values.append(end.value)
        except StepFailed as failed:
            progress.failure = str(failed)
            progress.left = len(steps) - number - 1
            return progress
    return progress
