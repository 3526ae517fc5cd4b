import io
import json

from arkway.telemetry.call_log import CallLog
from arkway.telemetry.log_io import Log
from support.telemetry import REQUEST_ID, call, failed_attempt, served_attempt


def test_a_call_is_one_line_of_names_and_numbers():
    stream = io.StringIO()
    attempts = (failed_attempt("a"), served_attempt("b", attempt=2, first_token_ms=120))

    CallLog(Log("info", "json", stream)).take([call(*attempts, is_stream=True), call()])

    line, empty = map(json.loads, stream.getvalue().splitlines())
    assert line.pop("time")
    assert line == {
        "level": "info",
        "event": "call",
        "request_id": REQUEST_ID,
        "key": "key_1",
        "tenant": "t",
        "model": "Doubao",
        "stream": True,
        "choices": 1,
        "outcome": "completed",
        "status": 200,
        "code": "",
        "account": "b",
        "affinity": "home",
        "attempts": 2,
        "input_tokens": 150,
        "cached_input_tokens": 50,
        "output_tokens": 25,
        "cost_nano": 7_000,
        "first_token_ms": 120,
        "total_ms": 300,
    }
    assert (empty["attempts"], empty["account"], empty["first_token_ms"]) == (0, "", 0)
