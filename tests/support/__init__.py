"""Independent test machinery: a scripted upstream, a real gateway process, a raw HTTP client.

Nothing here imports `arkway`: what these modules see of the gateway is what the network shows.
"""
