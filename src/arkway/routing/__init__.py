"""Which account takes this attempt? Ordered targets for a call, and what the pool learns.

Entry points: `pool.Pool.plan` (candidates, best first), `Pool.begin` and `Pool.end`. Pure: the
caller brings the clock. A conversation goes to its home by rendezvous hash, other calls to the
least utilised account; ejected accounts come last, never not at all. Must not import other data
rooms.
"""
