"""How much hypothesis looks at: enough to find what is wrong, little enough for one slow core.

`HYPOTHESIS_PROFILE=deep`, in .ci/run, looks at five times as much and `thorough` at much more;
`sketch` looks at more too and does not shrink what it finds.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "drip",
    deadline=None,
    max_examples=40,
    print_blob=True,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
usual = settings.get_profile("drip")
settings.register_profile("deep", usual, max_examples=200)
settings.register_profile("thorough", usual, max_examples=2_000)
settings.register_profile("sketch", usual, max_examples=1_000, phases=[Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "drip"))
