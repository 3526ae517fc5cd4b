"""How does it go right now? `arkway top`: `/status` once a second, as a picture.

command.py (asks, waits for keys) -> frame.py (a document to a picture, pure)
"""
