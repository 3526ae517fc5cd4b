"""Who is at the door? Bytes of callers' connections to requests, and answers back.

Entry points: `routes.match`, `reader.RequestReader` (sans-io framing over httptools),
`connection_io.Connection` (one caller's connection), `server_io.Listener` (the socket).
Invariants: one answer at a time on a connection, in order; every buffer bounded; what is not
strictly HTTP/1.1 is refused and the connection closed. Must not import other data rooms.
"""
