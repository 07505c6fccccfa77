#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Writes chat_templates.json beside it with Jinja, set up as transformers' apply_chat_template() does:

    python3 -m venv venv && venv/bin/pip install jinja2==3.1.6
    venv/bin/python tests/golden/make_chat_golden.py

README.md beside this file describes the format.
"""

import datetime
import json
import pathlib

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chat_snippets import SNIPPETS

FOLDER = pathlib.Path(__file__).resolve().parent
NOW = datetime.datetime(2026, 2, 3, 14, 5, 9)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, identity="call00001"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


TOOLS = [
    {"type": "function", "function": {
        "name": "tide", "description": "The tide at a \"<port>\" & its\nheight", "parameters": {
            "type": "object", "required": ["port"], "properties": {
                "port": {"type": "string", "description": "HAFEN, z.B. K\u00f6ln"},
                "days": {"type": "integer", "enum": [1, 3, 2]},
                "unit": {"type": ["string", "null"], "default": None},
                "limits": {"type": "array", "items": {"type": "object", "properties": {"low": {"type": "number"}}}}}}},
     },
    {"type": "function", "function": {
        "name": "stop", "description": "ends it", "return": {"type": "null"},
        "parameters": {"type": "object", "properties": {}}}},
]

CONVERSATIONS = {
    "question": {"messages": [said("user", "Hi")]},
    "answered": {"messages": [said("user", "Hi"), said("assistant", "Hello!")]},
    "system": {"messages": [said("system", "Be brief."), said("user", "Hi"), said("assistant", "Hello!"),
                            said("user", "And now?"), said("assistant", "Bye \u2014 f\u00fcr immer \U0001f642")]},
    "blanks": {"messages": [said("user", "  padded \n"), said("assistant", "\n padded answer \u3000\n"),
                            said("user", "x"), said("assistant", "")]},
    "thoughts": {"messages": [said("user", "\u65e5\u672c"), said("assistant", "<think>\nwhy \n</think>\n\nso"),
                              said("user", "m\u00e1s"), said("assistant", "<think>b</think>the answer</b>")]},
    "reasoning": {"messages": [said("user", "q"), said("assistant", "a", reasoning_content="r1"), said("user", "p"),
                               said("assistant", "b", reasoning_content="\nr2\n")]},
    "tools": {"tools": TOOLS, "messages": [
        said("system", "sys"), said("user", "tide?"),
        said("assistant", "", tool_calls=[call("tide", {"port": "K\u00f6ln", "days": 2, "unit": None, "limits": [1.5, True]})]),
        said("tool", '{"height": 2.5}', tool_call_id="call00001"), said("assistant", "2.5 m.")]},
    "two calls": {"tools": TOOLS, "messages": [
        said("user", "two"),
        said("assistant", None, tool_calls=[call("tide", {"port": "A\"<&>'\t"}), call("stop", {}, "call00002")]),
        said("tool", "one", tool_call_id="call00001"), said("tool", "two", tool_call_id="call00002"),
        said("assistant", "done"), said("user", "thanks"), said("assistant", "np")]},
    "parts": {"messages": [
        said("user", [{"type": "text", "text": " one "}, {"type": "image"}, {"type": "text", "text": "two"}]),
        said("assistant", [{"type": "text", "text": "both"}])]},
    "answer first": {"messages": [said("assistant", "I begin"), said("user", "ok")]},
    "no turns": {"messages": [said("user", "a"), said("user", "b"), said("assistant", "c"), said("assistant", "d")]},
    "unknown role": {"messages": [said("user", "a"), said("critic", "b")]},
    "quotes": {"messages": [said("system", ""), said("user", "1 < 2 {{ x }}"), said("assistant", "\\n 'q' \"q\" {# #}\x07")]},
}


class Generation(Extension):
    """{% generation %}: notes where its text stands in what has been written so far."""

    tags = {"generation"}
    written, spans = [], []

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("mark"), [], [], body).set_lineno(line)

    def mark(self, caller):
        text = caller()
        begin = len("".join(Generation.written).encode())
        Generation.spans.append([begin, begin + len(text.encode())])
        return text


def environment():
    def refuse(message):
        raise jinja2.TemplateError(message)

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    result = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    result.filters["tojson"] = to_json
    result.globals.update(raise_exception=refuse, strftime_now=NOW.strftime)
    return result


def rendered(source, variables):
    """Text and spans of what is generated; None where Jinja or Python raise an error."""
    Generation.written, Generation.spans = [], []
    try:
        for piece in environment().from_string(source).generate(**variables):
            Generation.written.append(piece)
    except Exception as error:  # of any kind: Python's own included
        return None, f"{type(error).__name__}: {error}"
    return "".join(Generation.written), Generation.spans


def render_case(source, name, prompts):
    inputs = {"tools": None, "documents": None, **CONVERSATIONS[name], **TOKENS, "add_generation_prompt": prompts}
    text, more = rendered(source, inputs)
    case = {"conversation": name, "add_generation_prompt": prompts}
    return {**case, "error": more} if text is None else {**case, "text": text, "generation": more}


def main():
    templates = {path.stem: [render_case(path.read_text(encoding="utf-8"), name, prompts)
                             for name in CONVERSATIONS for prompts in (False, True)]
                 for path in sorted((FOLDER / "chat").glob("*.jinja"))}
    golden = {"made_with": {"jinja2": jinja2.__version__}, "tokens": TOKENS, "conversations": CONVERSATIONS,
              "templates": templates, "snippets": [[source, rendered(source, {"messages": [], "tools": None})[0]] for source in SNIPPETS]}
    (FOLDER / "chat_templates.json").write_text(json.dumps(golden, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
