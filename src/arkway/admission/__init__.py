"""May this be asked, and what exactly is it? Keys and validation of calls.

Entry points: `authenticate.authenticate`, `validate.validate`, `validate.check_context`.
Pure functions of the request and the snapshot; refusals are `GatewayError`s that name the
parameter and the rule. Must not import other data rooms.
"""
