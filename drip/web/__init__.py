"""What is served over HTTP: webhooks, patients' pages, health."""
