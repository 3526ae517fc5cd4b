"""What do operators learn? Events of the gateway as log lines; never prompts, keys or answers.

Entry point: `log_io.Log`.
"""
