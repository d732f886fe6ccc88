"""How much hypothesis looks at: enough to find what is wrong, little enough for one slow core."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "drip",
    deadline=None,
    max_examples=60,
    print_blob=True,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("drip"), max_examples=2_000)
settings.load_profile("drip")
