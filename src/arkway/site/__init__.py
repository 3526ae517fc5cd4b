"""What does the documentation say, to people in a browser and to programs that ask it?

    docs/*.md --source_io--> Book --index--> search, ask
                              |--markdown, layout--> pages.Site.render --> app.docs_app (ASGI)

Entry points: `app.docs_app` (mounted by the control process, at any prefix), and
`pages.Site.render`, the same answers as a pure function, for whoever has sockets of its own.
Invariants: the Markdown files of `docs/` are the only source; nothing is fetched, at run time or
by a page; no page runs an inline script; an answer quotes the documentation or says that it does
not hold one.
Must not import: the data plane, the store, `control`.
Tested: tests/unit/site, one file a module; the question set by tests/docs/test_questions.py.
"""
