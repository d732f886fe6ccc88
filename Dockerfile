# One image for every process: drip run, drip worker, drip beat, and the commands for staff.
FROM python:3.12-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/drip
ENV PATH=/opt/drip/bin:$PATH
WORKDIR /src

# What Drip needs changes less often than Drip: a layer of its own.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY messages messages
COPY schedules schedules
COPY drip drip
RUN pip install --no-deps .


FROM python:3.12-slim-bookworm

# clinic.yaml lies in /clinic; what the outbox writes is a volume that its user may write.
RUN useradd --system --uid 10001 --no-create-home --home-dir /clinic drip \
    && install --directory --owner drip --group drip /clinic /clinic/outbox
COPY --from=build /opt/drip /opt/drip
ENV PATH=/opt/drip/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /clinic
USER drip

ENTRYPOINT ["drip"]
CMD ["run"]
