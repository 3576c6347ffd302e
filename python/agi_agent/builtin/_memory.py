"""Remembering and recalling: "remember that …", "what is my …"."""

from __future__ import annotations

from agi_agent.builtin._language import MARK, QUOTED, Phrase
from agi_agent.builtin._step import ITEMS, TEXT, Call, Step, Value, checked
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent._errors import OutsideBuiltinError
    from agi_agent.builtin._step import Run

_REMEMBER = phrases(
    """
    remember that | remember this | remember | keep in mind that | keep in mind |
    make a note that | take a note that | take note that | note that | make a note |
    take a note | do not forget that | don't forget that | don't forget |
    memorize that | memorise that | memorize | memorise | store in memory that |
    store in memory | save to memory that | save to memory | save in memory that |
    save in memory | add to memory that | add to memory | add to your memory that |
    add to your memory | learn that | for the record | note to self
    """
)
# Behind these words a task follows, not a fact.
_NOT_FACTS = frozenset(
    words(
        """
    to how when what where why who which it them all everything
    """
    )
)
_RECALL = phrases(
    """
    what do you know about | what do you remember about | what do you recall about |
    what did i tell you about | what have i told you about | what did i say about |
    tell me what you know about | tell me what you remember about |
    tell me everything about | what do you have in memory about |
    what is in your memory about | recall | what is in memory about |
    what was in my notes about | search your memory for | search the memory for |
    search memory for | look in your memory for | look up in memory |
    do you remember anything about | do you know anything about |
    do you remember what i said about | do you remember what i told you about |
    what do you remember of | what have you remembered about | remind me about |
    what notes do you have about | have i told you about | what do i know about |
    remind me of
    """
)
# What could be asked about anything in the world, and about what is remembered.
_ASKED = phrases(
    """
    please tell me | can you tell me | could you tell me | tell me | do you remember |
    do you recall | do you know | what is | what are | what was | what were | who is |
    who are | who was | when is | when was | where is | where are | which is |
    remind me what | remind me who | remind me when | remind me where | give me
    """
)
_ASKED_INNER = phrases("what | who | when | where | which")
_MINE = phrases(
    """
    what is my | what are my | what was my | who is my | who are my | when is my |
    where is my | what is our | who is our | when is our | where is our |
    what are our | tell me my | remind me of my | remind me what my |
    do you remember my | do you know my | what did i say my |
    what did i tell you my | recall my | which is my
    """
)
_SMALL_WORDS = frozenset(
    words(
        """
    a an the my our your i me we you is are was were of to in on at for and or about
    with do does did that this it s
    """
    )
)
_MAX_RECALLED = 10
# A question is short: tokens of the request, and words that say what it is about.
_MAX_ASKED = 24
_MAX_SUBJECT = 8


class Remember(Step):
    """Adds one fact to the agent's memory."""

    tools = ("memory_add",)

    def __init__(self, fact: str) -> None:
        """Takes the fact in the person's words."""
        self.fact = fact

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        results = yield [Call("memory_add", content=self.fact)]
        result = checked(results, "remember that")[0]
        fields = {"id": result.data.get("id"), "content": self.fact}
        return Value(f"remembered: {self.fact}", fields=fields)


class Recall(Step):
    """Looks a subject up in the agent's memory."""

    tools = ("memory_search",)
    gives = (TEXT, ITEMS)

    def __init__(
        self,
        subject: str,
        *,
        strict: bool,
        otherwise: OutsideBuiltinError | None = None,
    ) -> None:
        """Takes what to look up.

        Args:
            subject: In the person's words.
            strict: Only what has every word of the subject; for "what is my X", where
                something merely similar would be a wrong answer.
            otherwise: Refuses the whole request where nothing is found: only what is
                remembered shows that it was meant for the memory.
        """
        self.subject = subject
        self.strict = strict
        self.otherwise = otherwise

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        results = yield [Call("memory_search", query=self.subject, limit=_MAX_RECALLED)]
        if self.otherwise is not None and results[0].is_error:
            raise self.otherwise
        result = checked(results, f"search the memory for `{self.subject}`")[0]
        found = [str(row.get("content")) for row in result.rows("items")]
        if self.strict:
            found = [content for content in found if _speaks_of(content, self.subject)]
        if self.otherwise is not None and not found:
            raise self.otherwise
        text = "\n".join(found) or f"nothing is remembered about `{self.subject}`"
        return Value(text, items=found, fields={"items": found, "count": len(found)})


def _speaks_of(content: str, subject: str) -> bool:
    said = {_stem(word) for word in _words(content)}
    return all(
        _stem(word) in said for word in _words(subject) if word not in _SMALL_WORDS
    )


def asked(text: str, otherwise: OutsideBuiltinError) -> Step | None:
    """Takes a request that may ask for what is remembered: `what is the door code`.

    Args:
        text: What the person wrote, not understood as anything else.
        otherwise: The refusal where nothing answers it.
    """
    phrase = Phrase(text)
    if len(phrase.tokens) > _MAX_ASKED or not phrase.says(*_ASKED):
        return None
    if phrase.says(*_ASKED_INNER):
        phrase.says("is", "are", "was", "were")
    subject = _clause(phrase)
    phrase.skip(".", "?", "!")
    says = [word for word in _words(subject) if word not in _SMALL_WORDS]
    if not phrase.done or not says or len(says) > _MAX_SUBJECT:
        return None
    return Recall(subject, strict=True, otherwise=otherwise)


def _words(text: str) -> list[str]:
    spaced = "".join(
        character if character.isalnum() else " " for character in text.lower()
    )
    return spaced.split()


def _stem(word: str) -> str:
    """Singular and plural are one word; British and American spelling of -our too."""
    word = (
        word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word
    )
    return word.replace("our", "or") if len(word) > 4 else word


def remembering(phrase: Phrase) -> Step | None:
    """Takes `remember that …` up to the end, or up to a further step."""
    said = phrase.says(*_REMEMBER)
    if not said:
        return None
    phrase.word(",", ":", "-")
    phrase.says("that")
    token = phrase.peek()
    if token is None:
        return None
    follows = phrase.peek(1)
    if token.kind == QUOTED and (follows is None or follows.kind == MARK):
        phrase.at += 1
        return Remember(token.text.strip()) if token.text.strip() else None
    plain = said in ("remember", "memorize", "memorise", "learn that", "don't forget")
    if token.kind == MARK or (plain and token.lower in _NOT_FACTS):
        return None
    fact = _clause(phrase)
    # A fact says something: one word alone does not.
    return Remember(fact) if " " in fact else None


def recalling(phrase: Phrase) -> Step | None:
    """Takes `what do you know about X`, `what is my X`."""
    strict = False
    start = phrase.at
    mine = phrase.says(*_MINE)
    if mine:
        strict = True
    else:
        phrase.at = start
        if not phrase.says(*_RECALL):
            return None
        phrase.skip("the", "a", "an", "my")
    quoted = phrase.quoted()
    if quoted is not None:
        return Recall(quoted.strip(), strict=strict) if quoted.strip() else None
    subject = _clause(phrase)
    words = subject.split()
    if (
        not words
        or len(words) > 8
        or words[0].lower() in ("it", "that", "this", "them")
    ):
        return None
    return Recall(subject, strict=strict)


def _clause(phrase: Phrase) -> str:
    """Takes words up to the end of the sentence or to where a further step begins."""
    first = phrase.at
    while not phrase.done:
        start = phrase.at
        if phrase.says(
            "and then", ", then", "; then", ". then", ", and then", ";", "\n"
        ):
            phrase.at = start
            break
        if phrase.says(".", "?", "!") and _ends_sentence(phrase, start):
            phrase.at = start
            break
        phrase.at = start + 1
    return phrase.raw(first, phrase.at).strip()


def _ends_sentence(phrase: Phrase, at: int) -> bool:
    """Whether the mark at `at` ends the request or has another sentence behind it."""
    return at + 1 >= len(phrase.tokens) or phrase.tokens[at + 1].lower in ( "then",
            "\n", ".", "?", "!", "please", "thanks", "thank", "after", "next",
            "finally", )  # fmt: skip
