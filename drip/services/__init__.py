"""Use cases. Each owns its transaction and takes `now`.

A folder a subject; the modules beside them are what all of them stand on.
"""
