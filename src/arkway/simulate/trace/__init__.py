"""How would this traffic have been routed? A trace replayed in simulated time.

Entry points: `load_io.load` or `synthetic.synthetic` for rows, `replay.replay` for one run,
`compare.compare` for several. The rule called `elastic` is the real routing code; the accounts
(cache, limits, token timing) are simulated here and share nothing with it: what was cached and
what was refused is counted by them. Deterministic: one trace, one plan, one seed, one result.
"""
