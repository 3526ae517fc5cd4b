"""How do people see and run the gateway? The web console, a part of the control process.

Entry: `app.make(api, log)`, an ASGI application for `runtime.control_app`. It is an extra: without
NiceGUI installed `app.is_installed()` is False, and `missing.make` says so.

`views/` are pure functions from what the admin API answers to what is shown; `pages/` put that on
the screen with NiceGUI; `assets/` are our own style and Vue components. Every action goes through
`AdminApi.perform` with a principal that has just been authenticated again: the console can do
nothing that a script cannot, and has no other way to the store or the ledger.
Nothing here runs in the gateway's process.
Tests: tests/unit/console (views, texts), tests/e2e/console (a browser).
"""
