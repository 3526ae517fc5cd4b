"""What should this gateway be, and may it be so? From the operator's files to one `Snapshot`.

    arkway.toml + environment + flags --load--> Config --snapshot.build--> Snapshot

Entry points: `provision.provision` (both steps), `load.load`, `snapshot.build`,
`watch.Reloader` (the same again while traffic runs); `admin`, the admin API, has its own rules.
Invariants: all problems are reported at once, each with its path; nothing with a problem is ever
served; no message holds a credential. The schema in `config.py` is the one source of rules,
defaults, documentation and environment names.
Must not import: the data plane; only `model` and `store`.
Tested: tests/unit/control, one file a module; docs/config.md by tests/docs/test_config_docs.py.
"""
