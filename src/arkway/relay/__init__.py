"""How does an upstream's answer become ours? Normalising streams and plain answers.

Entry points: `stream.BranchReader` (bytes of one upstream stream to events for the caller),
`answer.read_answer` (one plain body), `merge` (n branches as one answer). Sans-io: fed by
`pipeline.py`. Invariants: nothing is emitted after a failure; any split of the bytes gives the
same output; usage is never invented. Must not import other data rooms.
"""
