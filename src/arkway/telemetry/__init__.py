"""What do operators learn? Events of the gateway as metrics, log lines and spans; never prompts,
keys or answers.

    events (one a call) -> meter -> metrics, status, lines, spans

Entry points: `meter.Meter`, which takes events on the hot path and folds them in batches;
`log_io.Log`; `exposition.render`; `otel_io.Exporter`, only with the extra `otel`.
Label values come from closed sets, so the number of series has a bound (`families.MAX_SERIES`).
"""
