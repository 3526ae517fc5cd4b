"""Arkway: an OpenAI-compatible AI gateway for Doubao.

Importing it touches no file and no network.
"""

__version__ = "0.1.0"
