"""Which token is taken: the person's word, then the file's, then ours."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _agi_llama

    from agi_agent._wire import LocalSettings, ModelRequest

DEFAULTS: dict[str, Any] = {
    "temperature": 0.6,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
}
_IN_FILE = {
    "temperature": "general.sampling.temp",
    "top_k": "general.sampling.top_k",
    "top_p": "general.sampling.top_p",
    "min_p": "general.sampling.min_p",
    "repeat_penalty": "general.sampling.penalty_repeat",
}
_WHOLE = frozenset({"top_k", "seed", "repeat_last_n"})


def sampling(
    settings: LocalSettings, request: ModelRequest, metadata: dict[str, str]
) -> _agi_llama.Sampling:
    """Give the sampling of one answer, for the kernel.

    Args:
        settings: What the person configured (`model.sampling`, `model.temperature`).
        request: Its temperature wins.
        metadata: Of the model's file; its makers' advice stands in for ours.
    """
    chosen = dict(DEFAULTS)
    for name, key in _IN_FILE.items():
        advice = metadata.get(key)
        if advice is not None:
            chosen[name] = _number(name, advice, chosen.get(name))
    configured = settings.get("sampling") or {}
    chosen |= {name: value for name, value in configured.items() if value is not None}
    for temperature in (settings.get("temperature"), request.get("temperature")):
        if temperature is not None:
            chosen["temperature"] = temperature
    told: Any = {name: value for name, value in chosen.items() if value is not None}
    return told  # type: ignore[no-any-return]


def _number(name: str, text: str, otherwise: Any) -> Any:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return int(value) if name in _WHOLE else value
