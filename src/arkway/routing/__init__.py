"""Which account takes this attempt? One target at a time, and what the pool learns from it.

Entry points: `pool.Pool.ask`, `choose`, then `succeed`, `fail` or `release`; `wake` while calls
wait. A conversation goes where its prompt is cached unless that account is too busy; limits are
reserved before anything is sent; accounts leave and return by what their errors mean.
Pure: the caller brings clock, randomness and secret. Must not import other data rooms.
Settings: `policy.RoutingPolicy`. Tested in tests/unit/routing, and by `arkway simulate`.
"""
