"""How do people and programs run this gateway? The admin API, `/admin/v1/...`.

    guard         every request of the control process: its Host, its id, its headers, its crash
    api           one request: route -> credential -> policy -> parameters -> work -> answer
    operation     what a route is: path, policy, parameters, answer; `operations` lists them all
    credentials   the one place where a request's credential is read and judged
    tenants keys accounts models books system access    the work, by noun, over `arkway.store`
    openapi       the description, made from the same list

Invariants: the route that matched carries the policy that is asked; a route without one cannot be
made; nothing here opens the ledger for writing. Must not import: the data plane.
Tested: tests/unit/control/admin; the matrix of routes and credentials in test_matrix.py.
"""
