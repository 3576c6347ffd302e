"""Conversations through the chat templates of the families."""

from __future__ import annotations

import resource
import time

import pytest
from templates import FAMILIES, GEMMA, LLAMA3, MISTRAL, QWEN3, TEMPLATES

from agi_agent import _errors
from agi_agent.local import _conversation, _families
from agi_agent.local._template import ChatTemplate, bundled

TOOL = {
    "name": "file_read",
    "description": "Reads \u00e9 <file>.",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
}
TALK = {
    "system": "Be brief.",
    "messages": [
        {"role": "user", "parts": [{"type": "text", "text": "read a.txt"}]},
        {
            "role": "assistant",
            "parts": [
                {
                    "type": "tool_call",
                    "id": "toolu_17",
                    "name": "file_read",
                    "arguments": '{"path":"a.txt"}',
                }
            ],
        },
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_result",
                    "call_id": "toolu_17",
                    "name": "file_read",
                    "text": "forty-two",
                }
            ],
        },
        {"role": "user", "parts": [{"type": "text", "text": "and now?"}]},
    ],
    "tools": [TOOL],
}


def written(text, request=TALK, **options):
    template = ChatTemplate(text, "<s>", "</s>")
    family = _families.family_of(template)
    options.setdefault("thinking", True)
    return _conversation.prompt(template, family, request, **options)


@pytest.mark.parametrize("name", TEMPLATES)
def test_families_are_told_by_their_templates(name):
    template = ChatTemplate(TEMPLATES[name])
    assert _families.family_of(template).name == FAMILIES[name]


@pytest.mark.parametrize("name", [*TEMPLATES, "chatml", "plain"])
def test_everything_said_reaches_the_model_in_order(name):
    text = written(TEMPLATES.get(name) or bundled(name))
    order = ["read a.txt", "a.txt", "forty-two", "and now?"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "Be brief." in text
    assert "file_read" in text
    assert "Reads \u00e9 <file>." in text
    assert "zqxjkv" not in text


def test_llama_has_one_blank_line_and_the_generation_prompt():
    text = written(LLAMA3)
    assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert '{"name": "file_read", "parameters": {"path": "a.txt"}}<|eot_id|>' in text
    assert text.startswith("<s><|start_header_id|>system")


def test_mistral_gets_its_nine_characters():
    assert '"id": "call00001"}' in written(MISTRAL)


def test_gemma_takes_turns_although_we_do_not():
    text = written(GEMMA)
    assert "Result of file_read:\nforty-two\n\nand now?" in text
    assert text.count("<start_of_turn>model") == 2


def test_thinking_is_a_switch():
    assert written(QWEN3, thinking=False).endswith("<think>\n\n</think>\n\n")
    assert written(QWEN3).endswith("<|im_start|>assistant\n")


def test_images_are_refused():
    image = {"type": "image", "media_type": "image/png", "data": ""}
    request = {"messages": [{"role": "user", "parts": [image]}]}
    with pytest.raises(_errors.InvalidRequestError, match="takes no images"):
        written(bundled("chatml"), request)


@pytest.mark.parametrize(
    "text",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include 'x' %}",
        "{{ raise_exception('no') }}",
        "{{ nothing.at.all }}",
        "{{ messages + 1 }}",
    ],
)
def test_a_template_cannot_do_what_it_likes(text):
    template = ChatTemplate(text)
    assert not template.system
    with pytest.raises(_errors.InvalidRequestError, match="refuses the conversation"):
        template.render([{"role": "user", "content": "x"}])


DOUBLED = "{% set n = namespace(x='x') %}{% for i in range(40) %}{% set n.x = STEP %}"
DOUBLED += "{% endfor %}{{ n.x | length }}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ('x' * 2000000000) | length }}",
        "{{ 2000000000 * [1] }}",
        "{{ 'a' | center(3000000000) }}",
        "{{ 'a'.center(3000000000) }}",
        "{{ 'a'.zfill(3000000000) }}",
        "{{ '%1000000000d' % 3 }}",
        "{{ '%*d' % (1000000000, 3) }}",
        "{{ '%1000000000d' | format(3) }}",
        "{{ '{:>2000000000}'.format(3) }}",
        "{{ '{:>{}}'.format(3, 2000000000) }}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
        "{{ ('\\t' * 1000000).expandtabs(1000000) }}",
        "{{ ('\\n' * 1000000) | indent(1000000) }}",
        "{{ (['a'] * 1000000) | join('b' * 1000000) }}",
        "{{ ('b' * 1000000).join(['a'] * 1000000) }}",
        "{{ range(99999) | map('center', 1000000) | list | length }}",
        "{{ 10 ** 1000000000 }}",
        "{{ lipsum(n=100000) }}",
        "{% set x = 'x' * 1000000 %}{% for i in range(99999) %}{{ x }}{% endfor %}",
        "{% set x = 'x' * 1000000 %}{% set y %}{% for i in range(99999) %}{{ x }}"
        "{% endfor %}{% endset %}{{ y | length }}",
        DOUBLED.replace("STEP", "n.x ~ n.x"),
        DOUBLED.replace("STEP", "n.x + n.x"),
        DOUBLED.replace("STEP", "n.x * 2"),
        DOUBLED.replace("STEP", "[n.x, n.x]").replace("length", "tojson"),
        DOUBLED.replace("STEP", "[n.x, n.x]").replace(" | length", ""),
    ],
)
def test_a_template_cannot_take_all_memory(text):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    template = ChatTemplate(text)
    with pytest.raises(_errors.InvalidRequestError, match="refuses the conversation"):
        template.render([{"role": "user", "content": "x"}])
    # Kilobytes: all of what may be made, and not one of the texts that were asked for.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000


TWICE = "{% for i in range(99999) %}{% for j in range(99999) %}STEP"
TWICE += "{% endfor %}{% endfor %}"
CALLS = "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}"
CALLS += "{% endmacro %}"
NUMBER = "{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = STEP %}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (TWICE, "too many steps"),
        (TWICE.replace("STEP", "{% continue %}"), "too many steps"),
        (TWICE.replace("STEP", "{% set x = [i, j] | sort %}"), "too many steps"),
        (CALLS + "{{ m(100) }}", "too many steps"),
        (NUMBER.replace("STEP", "n.x * n.x") + "{% endfor %}", "makes texts of more"),
        (NUMBER.replace("STEP", "n.x ** 9") + "{% endfor %}", "makes texts of more"),
        ("{% set x = ('f' * 9999999) | int(0, 16) %}", "makes texts of more"),
        (f"{{% set x = 0x{'f' * 99999} // 3 %}}", "digits"),
        ("{% for a in b %}" * 50 + "{% endfor %}" * 50, "nested"),
        ("{{ " + "(" * 9999 + ")" * 9999 + " }}", "recursion"),
    ],
)
def test_a_template_cannot_go_on_for_ever(text, named):
    begun = time.process_time()
    with pytest.raises(_errors.ModelCallError, match=named):
        ChatTemplate(text).render([{"role": "user", "content": "x"}])
    assert time.process_time() - begun < 20


def test_loops_are_what_they_are():
    text = (
        "{% for a, b in {'x': 1, 'y': 2}.items() %}{{ loop.index }}/{{ loop.length }}"
        "{{ a }}{{ b }}{{ '.' if loop.last else ',' }}{% endfor %}"
        "{% for m in messages if m.role == 'user' %}{{ loop.revindex }}{% else %}none"
        "{% endfor %}{% for m in nothing %}{% else %}none{% endfor %}"
        "{% for t in [1, [2]] recursive %}{{ t if t is number else loop(t) }}"
        "{% endfor %}"
    )
    turns = [{"role": role} for role in ("user", "tool", "user")]
    assert ChatTemplate(text).render(turns) == "1/2x1,2/2y2.21none12"


def test_what_templates_do_with_texts_is_left_to_them():
    text = (
        "{{ 'ab' * 3 }}|{{ 'a' ~ 1 ~ none }}|{{ '%03d' % 7 }}|"
        "{{ '%s-%s' | format(1, 2) }}|"
        "{{ '{:>4}{x}'.format(1, x=2) }}|{{ 'a\\nb' | indent(2) }}|"
        "{{ ['a', 1] | join(', ') }}|"
        "{{ 'aXa'.replace('X', '-') }}|{{ ', '.join(['a', 'b']) }}|{{ 2 ** 8 }}|"
        "{{ [3, 1] | sort | first }}|{{ messages | map(attribute='content') | join }}"
    )
    given = "ababab|a1None|007|1-2|   12|a\n  b|a, 1|a-a|a, b|256|1|x"
    assert ChatTemplate(text).render([{"role": "user", "content": "x"}]) == given


def test_what_begins_with_an_underscore_is_not_there():
    text = ChatTemplate("{{ ''.__class__ }}{{ messages.__len__ }}").render([])
    assert text == ""


def test_a_broken_template_is_named():
    with pytest.raises(_errors.ConfigurationError) as caught:
        ChatTemplate("{% if %}", owner="`m.gguf`")
    assert str(caught.value).startswith("the chat template of `m.gguf` is broken: ")
    with pytest.raises(_errors.InvalidRequestError, match=r"of `m\.gguf` refuses"):
        ChatTemplate("{{ nothing.at.all }}", owner="`m.gguf`").render([])


def test_what_the_hub_expects_is_there():
    text = (
        "{% generation %}{{ {'b': '<\u00e9>', 'a': [1]} | tojson }}{% endgeneration %}"
        "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}x"
        "{% endfor %}{{ strftime_now('%Y') | length }}{{ bos_token }}"
    )
    template = ChatTemplate(text, "<s>")
    turns = [{"role": "user", "content": "x"}] * 3
    assert template.render(turns) == '{"b": "<\u00e9>", "a": [1]}x4<s>'
