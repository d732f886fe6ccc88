"""The loops that move deliveries: one embedded in a process, one on Celery."""
