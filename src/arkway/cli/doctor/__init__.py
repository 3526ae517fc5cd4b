"""What is wrong with this gateway, and what helps? `arkway doctor`.

    command.py -> examine.py -> home, settings, ledger, gateway, ports, upstreams, machine

Each check looks (`look`, files and sockets) and then judges (a pure function over what was seen).
Nothing is changed: no file is made, no lock is taken, no request is sent; upstreams are only
connected to. No secret is in any finding: they name rules, places and variables.
Tested: tests/unit/cli/doctor, one file a module; the whole by tests/e2e/test_doctor.py.
"""
