"""How is one account asked? Dialects, connections, and what an upstream's errors mean.

Entry points: `dialects.encode_call` (call to bytes), `accounts_io.Upstream` (open an attempt),
`attempt_io.Attempt` (one try), `classify.classify` (errors to classes). A credential goes to its
account's origin and nowhere else; redirects are errors. Must not import other data rooms.
"""
