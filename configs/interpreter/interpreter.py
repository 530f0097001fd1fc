#!/usr/bin/env python3
"""A Python interpreter behind HTTP that keeps each session's variables: an instance for Limpet.

It needs nothing but Python's standard library. Whoever reaches it runs code as its user: it listens on the loopback
address only, and what keeps sessions apart is that Limpet gives each a process of its own.

  POST /execute   the body is Python; the answer is JSON: stdout, stderr, result (of a last expression), error
  POST /invoke    the tool executeCode of AWS Bedrock AgentCore's InvokeCodeInterpreter; the answer is an event stream
  GET  /healthz   200
"""

import ast
import contextlib
import io
import json
import os
import struct
import sys
import threading
import time
import traceback
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_CODE = 1 << 20  # bytes
MAX_DISCARDED = 64 << 20  # bytes of a longer body that are read nevertheless
MAX_OUTPUT = 1 << 20  # characters of each stream that are kept


class Capped(io.TextIOBase):
    """What is printed, up to MAX_OUTPUT characters: a loop that prints must not take all memory."""

    def __init__(self):
        self.parts, self.room = [], MAX_OUTPUT

    def writable(self):
        return True

    def write(self, text):
        kept = text[: self.room]
        self.parts.append(kept)
        self.room -= len(kept)
        return len(text)

    def text(self):
        return "".join(self.parts)


class Sessions:
    """The variables of each session, one piece of code at a time: sys.stdout is the whole process's."""

    def __init__(self):
        self.lock = threading.Lock()
        self.variables = {}

    def run(self, key, code, clear=False):
        with self.lock:
            if clear:
                self.variables.pop(key, None)
            names = self.variables.setdefault(key, {"__name__": "__main__"})
            out, err = Capped(), Capped()
            began = time.monotonic()
            result = error = None
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    result = execute(code, names)
                except SystemExit as e:
                    error = "SystemExit: %s" % e
                except BaseException:  # whatever the code raises is its own affair
                    error = traceback.format_exc(limit=-1)
            took = time.monotonic() - began
            return {"stdout": out.text(), "stderr": err.text(), "result": result, "error": error, "seconds": took}


def execute(code, names):
    """Runs code; returns the representation of its last expression, if it ends in one that is not None."""
    tree = ast.parse(code, "<session>")
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<session>", "exec"), names)
    if last is None:
        return None
    value = eval(compile(last, "<session>", "eval"), names)
    return None if value is None else repr(value)


def event(kind, body):
    """One message of application/vnd.amazon.eventstream, as Smithy's specification of that format lays it out."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    payload = json.dumps(body).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


def tool_result(r):
    stderr = r["stderr"] + (r["error"] or "")
    stdout = r["stdout"] + (r["result"] + "\n" if r["result"] is not None else "")
    failed = r["error"] is not None
    return {
        "content": [{"type": "text", "text": stderr if failed else stdout}],
        "structuredContent": {
            "stdout": stdout,
            "stderr": stderr,
            "exitCode": int(failed),
            "executionTime": r["seconds"],
        },
        "isError": failed,
    }


class Refused(Exception):
    """A request that cannot be served: a status and why."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sessions = Sessions()

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, b"", "text/plain")
        else:
            self.close_connection = True  # it may have a body
            self.answer(404, b"not found\n", "text/plain")

    def do_POST(self):
        try:
            if self.path == "/execute":
                r = self.sessions.run(self.key(), self.body().decode())
                self.answer(200, json.dumps(r).encode() + b"\n", "application/json")
            elif self.path == "/invoke":
                self.answer(200, event("result", self.tool()), "application/vnd.amazon.eventstream")
            else:
                self.body()
                raise Refused(404, "accepted are /execute and /invoke")
        except Refused as e:
            self.answer(e.args[0], json.dumps({"message": e.args[1]}).encode() + b"\n", "application/json")
        except UnicodeDecodeError:
            self.answer(400, b'{"message": "the code is not UTF-8"}\n', "application/json")

    def key(self):
        """A greater epoch is a new session, even under an old ID."""
        return self.headers.get("Limpet-Session-Id", ""), self.headers.get("Limpet-Session-Epoch", "")

    def body(self):
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            self.close_connection = True  # where the next request would begin is unknown
            raise Refused(411, "the request has no Content-Length") from None
        if not 0 <= length <= MAX_CODE:
            self.discard(length)
            raise Refused(413, "at most %d bytes are accepted" % MAX_CODE)
        return self.rfile.read(length)

    def discard(self, length):
        """Who sends a body hears an answer only after it: a connection that is closed before is reset."""
        self.close_connection = not 0 <= length <= MAX_DISCARDED
        for _ in range(max(0, min(length, MAX_DISCARDED)) // MAX_CODE):
            self.rfile.read(MAX_CODE)
        self.rfile.read(max(0, min(length, MAX_DISCARDED)) % MAX_CODE)

    def tool(self):
        try:
            call = json.loads(self.body())
            name, arguments = call["name"], call.get("arguments") or {}
            code, language = arguments.get("code", ""), arguments.get("language", "python")
            clear = bool(arguments.get("clearContext"))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Refused(400, "the body is no tool call") from None
        if name != "executeCode" or language != "python" or not isinstance(code, str):
            raise Refused(400, "accepted is executeCode with language python")
        return tool_result(self.sessions.run(self.key(), code, clear))

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")  # else Limpet would send the next request there
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass  # Limpet has an access log


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print("python %d.%d is ready" % sys.version_info[:2], flush=True)
    server.serve_forever()
