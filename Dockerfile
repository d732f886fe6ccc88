# One image for every process: drip run, drip worker, drip beat.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir uv && uv pip install --system --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY messages messages
COPY schedules schedules
COPY drip drip
RUN uv pip install --system --no-deps . && useradd --system --create-home --uid 10001 drip

# clinic.yaml, .env and, with SQLite, the database lie in /clinic.
RUN mkdir /clinic && chown drip:drip /clinic
WORKDIR /clinic
USER drip
VOLUME /clinic

ENTRYPOINT ["drip"]
CMD ["run"]
