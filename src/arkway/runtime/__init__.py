"""How do the parts become a running gateway? The only room that constructs things.

Entry point: `serve.run`. `plane` is the data plane's composition, `ops_io` the operators' port,
`secret_io` the gateway's own secret. Imports every room; is imported by the command line alone.
"""
