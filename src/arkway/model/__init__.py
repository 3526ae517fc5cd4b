"""What are we talking about? The vocabulary that every other room shares.

Values only: ids, errors, usage, calls, the catalogue of models, accounts and keys.
No I/O, no clock, no randomness; imports nothing of ours.
"""
