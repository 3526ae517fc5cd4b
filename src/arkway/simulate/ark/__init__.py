"""How do many Ark accounts behave? A simulator of them: `arkway sim ark`, docs/simulator.md.

    settings -> world (accounts, models, limits, caches; pure) -> Answer | Refusal
             -> server_io (HTTP) -> play_io (token timing, faults) -> log_io (the oracle)
             -> control_io (look and change while it runs)

It is the witness of exactness tests, so it shares no code with the gateway: nothing here imports
`arkway` outside this folder (import-linter holds it to that; ADR-0018). Where both need to know
something, an error code or how chunked coding looks, both say it.

Times are *simulated* seconds, `speed` of them to a real one, unless a name says otherwise. What
goes to callers (`Retry-After`) is in real seconds.
"""
