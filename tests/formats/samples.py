"""A small recording of each format that other programs write, in the shape that these programs gave theirs.

Those of LangChain, OpenAI Agents, pydantic-ai and llm were printed by these packages and shortened; the others follow
what is known of the exports.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PNG = "iVBORw0KGgo="


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a file holds, and what is read of it."""

    write: Callable[[Path], None]
    said: Sequence[str]
    """the turns of the first conversation, as `shown` shows them"""
    system: str | None = None
    tools: Sequence[str] = ()
    remarks: Sequence[str] = ()
    """words of what is left out, in order"""
    usage: Sequence[tuple[int, int]] = ()
    """(prompt, output) of each reply that tells its own"""
    all: Sequence[str] = ()
    """ids of the conversations with `branches="all"`"""


def json_file(value: Any) -> Callable[[Path], None]:
    return text_file(json.dumps(value))


def lines_file(values: Iterable[Any]) -> Callable[[Path], None]:
    return text_file("".join(json.dumps(value) + "\n" for value in values))


def text_file(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


def database(script: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript(script)

    return write


# ChatGPT


def node(id: str, parent: str | None, role: str, content: Any, **facts: Any) -> dict[str, Any]:
    """A message of ChatGPT's; text alone is told by its words."""
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    author = {"role": role, **({"name": facts.pop("name")} if "name" in facts else {})}
    message = {"id": id, "author": author, "create_time": 1_700_000_000.5, "content": content, "metadata": facts}
    return {"id": id, "parent": parent, "children": [], "message": message}


PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://abc", "width": 10, "height": 10}
SPOKEN = [
    {"content_type": "audio_transcription", "text": "Said aloud.", "direction": "in"},
    {"content_type": "audio_asset_pointer", "asset_pointer": "file-service://sound"},
]
CHATGPT = [
    {
        "title": "Lighthouses",
        "conversation_id": "c-1",
        "current_node": "u3",
        "mapping": {
            one["id"]: one
            for one in (
                {"id": "root", "message": None, "parent": None, "children": ["sys"]},
                node("sys", "root", "system", "", is_visually_hidden_from_conversation=True),
                node("ctx", "sys", "user", {"content_type": "user_editable_context", "user_instructions": "Be brief."}),
                node("u1", "ctx", "user", "Which is the tallest?"),
                node("a1", "u1", "assistant", "A first answer.", model_slug="gpt-x"),
                node("th", "u1", "assistant", {"content_type": "thoughts", "thoughts": [{"content": "Hm."}]}),
                node("a2", "th", "assistant", "Jeddah, 133 m.", model_slug="gpt-x"),
                node("u2", "a2", "user", {"content_type": "multimodal_text", "parts": [PICTURE, "And here?", *SPOKEN]}),
                node("c1", "u2", "assistant", {"content_type": "code", "language": "python", "text": "print(1+1)"}),
                node("t1", "c1", "tool", {"content_type": "execution_output", "text": "2"}, name="python"),
                node("a3", "t1", "assistant", "Two windows.", model_slug="gpt-x"),
                node("u3", "a3", "user", "And this?", attachments=[{"name": "a.pdf", "mime_type": "application/pdf"}]),
            )
        },
    },
    {"title": "Empty", "conversation_id": "c-2", "current_node": None, "mapping": {}},
]

# Claude.ai


def letter(uuid: str, parent: str, sender: str, *blocks: Any, **facts: Any) -> dict[str, Any]:
    """A message of Claude.ai's; a text block is told by its words."""
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    at = f"2026-01-01T12:0{facts.pop('minute', 0)}:00Z"
    return {
        "uuid": uuid,
        "parent_message_uuid": parent,
        "sender": sender,
        "content": content,
        "created_at": at,
        **facts,
    }


CLAUDE_AI = [
    {
        "uuid": "x1",
        "name": "Tea",
        "chat_messages": [
            letter("m1", "0", "human", "Which tea?"),
            letter("m2", "m1", "assistant", "A first draft."),
            letter(
                "m3",
                "m1",
                "assistant",
                {"type": "thinking", "thinking": "Hm."},
                "I look.",
                {"type": "tool_use", "id": None, "name": "web_search", "input": {"query": "tea"}},
                {"type": "tool_result", "tool_use_id": None, "content": [{"type": "text", "text": "Assam is strong."}]},
                "Assam.",
                {"type": "tool_use", "name": "artifacts", "input": {"command": "create", "content": "# Teas"}},
                minute=1,
            ),
            letter(
                "m4",
                "m3",
                "human",
                "",
                minute=2,
                attachments=[{"file_name": "notes.txt", "extracted_content": "Darjeeling, 3 min"}],
                files=[{"file_name": "cup.png"}],
            ),
            letter("m5", "m4", "assistant", "Three minutes.", minute=3),
        ],
    },
    {"uuid": "x2", "name": "", "chat_messages": []},
]

# Codex

USED = {"input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 40, "total_tokens": 940}


def row(kind: str, second: int, **payload: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-01-01T12:00:{second:02}Z", "type": kind, "payload": payload}


def said_by(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


CODEX = [
    row(
        "session_meta", 0, id="s-1", cwd="/home/ann/mill", cli_version="0.65.0", base_instructions={"text": "Be exact."}
    ),
    row("response_item", 1, **said_by("developer", "Ask before you delete.")),
    row("turn_context", 1, cwd="/home/ann/mill", model="gpt-5-codex"),
    row("response_item", 2, **said_by("user", "What is 6 x 7?")),
    row("event_msg", 2, type="user_message", message="What is 6 x 7?"),
    row("response_item", 3, type="reasoning", summary=[], encrypted_content="..."),
    row("response_item", 3, type="function_call", name="shell", arguments='{"command": ["bc"]}', call_id="c1"),
    row("event_msg", 3, type="token_count", info={"last_token_usage": USED, "total_token_usage": USED}),
    row("event_msg", 3, type="token_count", info={"last_token_usage": USED, "total_token_usage": USED}),
    row("response_item", 4, type="function_call_output", call_id="c1", output="42"),
    row("response_item", 5, **said_by("assistant", "It is 42.")),
    row("event_msg", 6, type="token_count", info={"total_token_usage": {"input_tokens": 1_900, "output_tokens": 60}}),
]
CODEX_SUB = [
    row("session_meta", 0, session_id="s-2", cwd="/mill", subagent_history_start_ordinal=3),
    {**row("response_item", 1, **said_by("user", "A parent's question")), "ordinal": 1},
    {**row("response_item", 1, **said_by("assistant", "A parent's answer")), "ordinal": 2},
    {**row("event_msg", 2, type="token_count", info={"last_token_usage": USED}), "ordinal": 2},
    {**row("response_item", 3, **said_by("user", "Look it up.")), "ordinal": 3},
    {**row("response_item", 4, **said_by("assistant", "Found.")), "ordinal": 4},
    {**row("event_msg", 4, type="token_count", info={"last_token_usage": USED}), "ordinal": 5},
]
CODEX_OLD = [
    {"id": "s-0", "timestamp": "2025-08-01T12:00:00Z", "instructions": "Be exact.", "git": {}},
    {"record_type": "state"},
    said_by("user", "Hello"),
    said_by("assistant", "Good day."),
]

# LangChain, pydantic-ai


def lc(kind: str, content: Any, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"content": content, "type": kind, "id": None, **data}}


SEEN = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
CALL = {"name": "mul", "args": {"a": 6, "b": 7}, "id": "call_1", "type": "tool_call"}
LANGCHAIN = [
    lc("system", "Be kind."),
    lc(
        "human",
        [
            {"type": "text", "text": "6 x 7?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ],
    ),
    lc(
        "ai",
        [
            {"type": "text", "text": "I ask."},
            {"type": "tool_use", "id": "call_1", "name": "mul", "input": CALL["args"]},
        ],
        tool_calls=[CALL],
        usage_metadata={"input_tokens": 10, "output_tokens": 5, "input_token_details": {"cache_read": 4}},
        response_metadata={"model_name": "claude-sonnet-4-5"},
    ),
    lc("tool", "no such tool", tool_call_id="call_1", name="mul", status="error"),
    lc("AIMessageChunk", "It is 42.", tool_calls=[]),
    lc("remove", ""),
]


def part(kind: str, content: Any, **facts: Any) -> dict[str, Any]:
    return {"part_kind": kind, "content": content, **facts}


AT = "2026-01-01T12:00:00.5Z"
PYDANTIC_AI = [
    {
        "kind": "request",
        "instructions": "Short.",
        "conversation_id": "p-1",
        "parts": [
            part("system-prompt", "Be kind."),
            part("user-prompt", ["6 x 7?", {"kind": "binary", "data": PNG, "media_type": "image/png"}], timestamp=AT),
        ],
    },
    {
        "kind": "response",
        "timestamp": AT,
        "model_name": "claude-sonnet-4-5",
        "usage": {"input_tokens": 60, "cache_read_tokens": 20, "output_tokens": 6},
        "parts": [
            part("thinking", "Hm."),
            {"part_kind": "tool-call", "tool_name": "mul", "args": '{"a": 6}', "tool_call_id": "c1"},
        ],
    },
    {
        "kind": "request",
        "instructions": "Short.",
        "parts": [part("retry-prompt", "b is missing", tool_name="mul", tool_call_id="c1", timestamp=AT)],
    },
    {"kind": "response", "timestamp": AT, "parts": [part("text", "It is 42.")], "usage": {}},
]

# LangSmith, Langfuse: whole prompts, which repeat what was said before

ASKED = {"role": "user", "content": "6 x 7?"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "mul", "arguments": '{"a": 6}'}}],
}
ANSWERED = {"role": "tool", "tool_call_id": "c1", "content": "42"}
FINAL = {"role": "assistant", "content": "It is 42."}
KIND = {"role": "system", "content": "Be kind."}


def lc_message(name: str, content: str, **kwargs: Any) -> dict[str, Any]:
    kind = {"SystemMessage": "system", "HumanMessage": "human", "AIMessage": "ai"}[name]
    path = ["langchain", "schema", "messages", name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": {"content": content, "type": kind, **kwargs}}


def run(kind: str, second: int, inputs: Any, outputs: Any, **facts: Any) -> dict[str, Any]:
    """A run of LangSmith's."""
    return {
        "id": f"run-{second}",
        "trace_id": f"trace-{second}",
        "run_type": kind,
        "start_time": f"2026-01-01T12:00:0{second}",
        "end_time": f"2026-01-01T12:00:0{second}.5",
        "inputs": inputs,
        "outputs": outputs,
        "extra": {"metadata": {"thread_id": "t1", "ls_model_name": "gpt-5"}},
        **facts,
    }


FIRST = [[lc_message("SystemMessage", "Be kind."), lc_message("HumanMessage", "Hello")]]
SMITH_USED = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"cache_read": 4}}
SAID = lc_message("AIMessage", "Good day.", usage_metadata=SMITH_USED)
SECOND = [KIND, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}, ASKED]
TITLE = run("llm", 7, {"messages": [{"role": "user", "content": "A title?"}]}, {"content": "Sums", "role": "assistant"})
LANGSMITH = [
    run("chain", 0, {"input": "Hello"}, {"output": "Good day."}),
    run("llm", 1, {"messages": FIRST}, {"generations": [[{"text": "Good day.", "message": SAID}]]}),
    run(
        "llm",
        2,
        {"messages": SECOND},
        {"choices": [{"message": CALLED}]},
        prompt_tokens=30,
        completion_tokens=6,
        total_cost="0.25",
    ),
    run(
        "llm", 3, {"messages": [*SECOND, CALLED, ANSWERED]}, {"message": {"role": "assistant", "content": "It is 42."}}
    ),
    TITLE,
]


def observation(kind: str, second: int, **facts: Any) -> dict[str, Any]:
    """An observation of Langfuse's."""
    at = f"2026-01-01T12:00:0{second}.000Z"
    return {"id": f"o{second}", "traceId": f"t{second}", "type": kind, "startTime": at, "endTime": at, **facts}


LANGFUSE = {
    "trace": {"id": "t1", "sessionId": "s1", "projectId": "mill", "timestamp": "2026-01-01T12:00:00Z"},
    "observations": [
        observation("SPAN", 0, input="6 x 7?"),
        observation(
            "GENERATION",
            1,
            model="gpt-5",
            input=[KIND, ASKED],
            output=CALLED,
            usageDetails={"input": 20, "input_cached_tokens": 10, "output": 6, "total": 36},
            costDetails={"total": 0.5},
        ),
        observation(
            "GENERATION",
            2,
            input=json.dumps({"messages": [KIND, ASKED, CALLED, ANSWERED]}),
            output=json.dumps({"role": "assistant", "content": "It is 42."}),
            usage={"input": 50, "output": 4, "unit": "TOKENS"},
        ),
    ],
}
LANGFUSE_ROWS = [
    {
        "id": "o1",
        "trace_id": "t1",
        "session_id": "s1",
        "type": "GENERATION",
        "start_time": "2026-01-01 12:00:01.000000",
        "provided_model_name": "claude-sonnet-4-5",
        "input": {"system": "Be kind.", "messages": [ASKED]},
        "output": {"role": "assistant", "content": [{"type": "text", "text": "It is 42."}]},
        "usage_details": {"input": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5, "output": 7},
        "total_cost": 0.01,
    }
]

LONGMEMEVAL = [
    {
        "question_id": "q1",
        "question_type": "single-session-user",
        "question": "Which locker code?",
        "answer": 7731,
        "question_date": "2023/05/30 (Tue) 09:00",
        "haystack_session_ids": ["b", "a"],
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/19 (Fri) 02:21"],
        "haystack_sessions": [
            [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Bye!"}],
            [
                {"role": "user", "content": "My locker code is 7731.", "has_answer": True},
                {"role": "assistant", "content": "Noted."},
            ],
        ],
        "answer_session_ids": ["a"],
    },
    {
        "question_id": "q2_abs",
        "question_type": "multi-session",
        "question": "How many dogs?",
        "answer": "It was not said.",
        "haystack_sessions": [[{"role": "user", "content": "Hello"}]],
    },
]

# Databases

AGENTS = """
CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agent_messages (id INTEGER PRIMARY KEY, session_id TEXT, message_data TEXT, created_at TIMESTAMP);
INSERT INTO agent_sessions VALUES ('s1', '2026-01-01 12:00:00', NULL), ('s2', '2026-01-01 12:00:01', NULL);
INSERT INTO agent_messages (session_id, message_data, created_at) VALUES
 ('s1', '{"role": "user", "content": "6 x 7?"}', '2026-01-01 12:00:00'),
 ('s1', '{"type": "function_call", "call_id": "c1", "name": "mul", "arguments": "{}"}', '2026-01-01 12:00:01'),
 ('s1', 'not JSON', '2026-01-01 12:00:01'),
 ('s1', '{"type": "function_call_output", "call_id": "c1", "output": "42"}', '2026-01-01 12:00:02'),
 ('s1', '{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 42."}]}',
  '2026-01-01 12:00:03');
"""
LLM = """
CREATE TABLE conversations (id TEXT, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT, model TEXT, prompt TEXT, system TEXT, response TEXT, conversation_id TEXT,
 datetime_utc TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT);
CREATE TABLE fragments (id INTEGER, content TEXT);
CREATE TABLE attachments (id TEXT, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE tools (id INTEGER, name TEXT, description TEXT, input_schema TEXT);
CREATE TABLE threads (id TEXT, name TEXT, tip_message_hash TEXT, datetime_utc TEXT);
CREATE TABLE messages (hash TEXT, parent_hash TEXT, role TEXT);
CREATE TABLE parts (id INTEGER, message_hash TEXT, position INTEGER, type TEXT, text TEXT, payload TEXT);
CREATE TABLE turns (id TEXT, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
 resolved_model TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, datetime_utc TEXT);
CREATE TABLE turn_tools (turn_id TEXT, tool_id INTEGER);
INSERT INTO fragments VALUES (1, 'A long text.');
INSERT INTO attachments VALUES ('p', 'image/png', NULL, NULL, x'89504e470d0a1a0a');
INSERT INTO tools VALUES (1, 'mul', 'Multiply.', '{"type": "object"}');
INSERT INTO threads VALUES ('t1', 'Sums', 'h5', '2026-01-01 12:00:00+00:00');
INSERT INTO messages VALUES ('h0', NULL, 'system'), ('h1', 'h0', 'user'), ('h2', 'h1', 'assistant'),
 ('h3', 'h2', 'tool'), ('h5', 'h3', 'assistant'), ('h6', 'h1', 'assistant');
INSERT INTO parts VALUES (1, 'h0', 0, 'text', 'Be kind.', NULL),
 (2, 'h1', 0, 'text', NULL, '{"text_ref": [{"fragment": 1}, {"literal": " 6 x 7?"}]}'),
 (3, 'h1', 1, 'attachment', NULL, '{"attachment": {"id": "p"}}'),
 (4, 'h2', 0, 'tool_call', NULL, '{"name": "mul", "arguments": {"a": 6}, "tool_call_id": "c1"}'),
 (5, 'h3', 0, 'tool_result', NULL, '{"name": "mul", "output": "42", "tool_call_id": "c1"}'),
 (6, 'h5', 0, 'text', 'It is 42.', NULL), (7, 'h6', 0, 'text', 'On another thread.', NULL);
INSERT INTO turns VALUES
 ('r1', 't1', 'h1', 'h2', 'fake', NULL, 11, 3, '{"cache_read_input_tokens": 4}', '2026-01-01T12:00:00'),
 ('r2', 't1', 'h3', 'h5', 'fake', 'fake-1', 20, 4, NULL, '2026-01-01T12:00:05');
INSERT INTO turn_tools VALUES ('r1', 1);
"""
LLM_OLD = """
CREATE TABLE conversations (id TEXT, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
 response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT,
 input_tokens INTEGER, output_tokens INTEGER, token_details TEXT);
CREATE TABLE tool_calls (id INTEGER, response_id TEXT, tool_id INTEGER, name TEXT, arguments TEXT, tool_call_id TEXT);
CREATE TABLE tool_results (id INTEGER, response_id TEXT, tool_id INTEGER, name TEXT, output TEXT, tool_call_id TEXT,
 exception TEXT);
INSERT INTO conversations VALUES ('c1', 'Sums', 'fake');
INSERT INTO responses (id, model, prompt, system, response, conversation_id, datetime_utc, input_tokens, output_tokens)
 VALUES ('r1', 'fake', '6 x 7?', 'Be kind.', '', 'c1', '2026-01-01T12:00:00', 11, 3),
 ('r2', 'fake', '', NULL, 'It is 42.', 'c1', '2026-01-01T12:00:05', 20, 4);
INSERT INTO tool_calls VALUES (1, 'r1', NULL, 'mul', '{"a": 6}', 'k1');
INSERT INTO tool_results VALUES (1, 'r2', NULL, 'mul', '42', 'k1', NULL);
"""

# OpenAI: bodies of the Responses API, and of a batch

RESPONSE = {
    "object": "response",
    "model": "gpt-5",
    "instructions": "Be kind.",
    "tools": [{"type": "function", "name": "mul", "parameters": {"type": "object"}}, {"type": "web_search"}],
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "6 x 7?"}]}],
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "6 x 7"}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 42."}]},
    ],
}
BATCH = [{"custom_id": "1", "url": "/v1/chat/completions", "body": {"model": "gpt-5", "messages": [KIND, ASKED]}}]

SAMPLES: dict[str, Sample] = {
    "openai, a response": Sample(
        write=json_file(RESPONSE),
        system="Be kind.",
        tools=["mul"],
        said=[
            "user: 6 x 7?",
            'assistant: web_search({"type":"search","query":"6 x 7"})',
            "user: -> completed",
            "assistant: It is 42.",
        ],
        remarks=["1 item of reasoning"],
    ),
    "openai, a batch": Sample(write=lines_file(BATCH), system="Be kind.", said=["user: 6 x 7?"]),
    "chatgpt": Sample(
        write=json_file(CHATGPT),
        system="Be brief.",
        said=[
            "user: Which is the tallest?",
            "assistant: Jeddah, 133 m.",
            "user: [picture file-service://abc, left out] | And here? | Said aloud.",
            "assistant: ```python\nprint(1+1)\n```",
            "assistant: 2",
            "assistant: Two windows.",
            "user: And this? | [the file 'a.pdf', kept elsewhere, left out]",
        ],
        remarks=["c-2 (Empty) says nothing", "1 turn on other branches", "1 messages of reasoning, 1 pictures"],
        all=["c-1#1", "c-1"],
    ),
    "claude_ai": Sample(
        write=json_file(CLAUDE_AI),
        said=[
            "user: Which tea?",
            'assistant: I look. | web_search({"query":"tea"})',
            "user: -> Assam is strong.",
            'assistant: Assam. | [artifacts: {"command":"create","content":"# Teas"}]',
            "user: <document notes.txt: Darjeeling, 3 min> | [the file 'cup.png', kept elsewhere, left out]",
            "assistant: Three minutes.",
        ],
        remarks=["x2 (without a title) says nothing", "1 turn on other branches", "1 files", "1 blocks of thinking"],
        all=["x1#1", "x1"],
    ),
    "codex": Sample(
        write=lines_file(CODEX),
        system="Be exact.\n\nAsk before you delete.",
        said=["user: What is 6 x 7?", 'assistant: shell({"command":["bc"]})', "user: -> 42", "assistant: It is 42."],
        remarks=["1 item of reasoning"],
        usage=[(900, 40), (1_000, 20)],
    ),
    "codex, a sub-agent": Sample(
        write=lines_file(CODEX_SUB),
        said=["user: A parent's question", "assistant: A parent's answer", "user: Look it up.", "assistant: Found."],
        usage=[(900, 40)],
    ),
    "codex, of 2025": Sample(
        write=lines_file(CODEX_OLD), system="Be exact.", said=["user: Hello", "assistant: Good day."]
    ),
    "langchain": Sample(
        write=json_file(LANGCHAIN),
        system="Be kind.",
        said=[
            "user: 6 x 7? | <image>",
            'assistant: I ask. | mul({"a":6,"b":7})',
            "user: -> failed: no such tool",
            "assistant: It is 42.",
        ],
        remarks=["1 instructions to remove"],
        usage=[(10, 5)],
    ),
    "pydantic_ai": Sample(
        write=json_file(PYDANTIC_AI),
        system="Short.\n\nBe kind.",
        said=[
            "user: 6 x 7? | <image>",
            'assistant: mul({"a":6})',
            "user: -> failed: b is missing",
            "assistant: It is 42.",
        ],
        remarks=["1 parts of the kind thinking"],
        usage=[(60, 6)],
    ),
    "langsmith": Sample(
        write=lines_file(LANGSMITH),
        system="Be kind.",
        said=[
            "user: Hello",
            "assistant: Good day.",
            "user: 6 x 7?",
            'assistant: mul({"a":6})',
            "user: -> 42",
            "assistant: It is 42.",
        ],
        remarks=["1 chain run"],
        usage=[(10, 5), (30, 6)],
        all=["t1", "t1#1"],
    ),
    "langsmith, as a list": Sample(write=json_file({"runs": [TITLE]}), said=["user: A title?", "assistant: Sums"]),
    "langfuse": Sample(
        write=json_file(LANGFUSE),
        system="Be kind.",
        said=["user: 6 x 7?", 'assistant: mul({"a":6})', "user: -> 42", "assistant: It is 42."],
        remarks=["1 SPAN observation"],
        usage=[(30, 6), (50, 4)],
    ),
    "langfuse, exported rows": Sample(
        write=lines_file(LANGFUSE_ROWS),
        system="Be kind.",
        said=["user: 6 x 7?", "assistant: It is 42."],
        usage=[(100, 7)],
    ),
    "longmemeval": Sample(
        write=json_file(LONGMEMEVAL),
        said=["user: My locker code is 7731.", "assistant: Noted.", "user: Bye", "assistant: Bye!"],
    ),
    "openai_agents": Sample(
        write=database(AGENTS),
        said=["user: 6 x 7?", "assistant: mul({})", "user: -> 42", "assistant: It is 42."],
        remarks=["agent_messages.3, of the session 's1', is no JSON", "'s2' holds no message"],
    ),
    "llm": Sample(
        write=database(LLM),
        system="Be kind.",
        tools=["mul"],
        said=["user: A long text. 6 x 7? | <image>", 'assistant: mul({"a":6})', "user: -> 42", "assistant: It is 42."],
        usage=[(15, 3), (20, 4)],
    ),
    "llm, before 0.36": Sample(
        write=database(LLM_OLD),
        system="Be kind.",
        said=["user: 6 x 7?", 'assistant: mul({"a":6})', "user: -> 42", "assistant: It is 42."],
        usage=[(11, 3), (20, 4)],
    ),
}
"""By format; a second shape of a format has a comma in its name."""
