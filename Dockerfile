# Two images from one file:
#   docker build -t customer-segmentation .                              answers over HTTP (the default)
#   docker build -t customer-segmentation-training --target training .   trains, and scores whole files
# The first holds no data frames and no engine: less to attack, less to move. Both want no more than
#   docker run --read-only --tmpfs /tmp -v models:/models -v data:/data …

# By tag, because a digest is of one registry's copy. To build on exactly one (docs/operations.md, "Install"):
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:… .
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
# Without pip of its own: the builder's installs into it, and nothing in the final images can install anything.
RUN python -m venv --without-pip /venv
COPY requirements.lock /
# Wheels only: a package that had to be compiled would need a compiler here.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /venv/bin/python install --only-binary :all: --require-hashes -r /requirements.lock

FROM builder AS training-builder
COPY requirements-training.lock /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /venv/bin/python install --only-binary :all: --require-hashes -r /requirements-training.lock

# The packages are copied, not pip-installed: an installation would fetch a build backend that no lock covers.
# Byte code is made here, because the containers cannot write it; unchecked, because sources never change there.
FROM ${PYTHON_IMAGE} AS code
COPY models /app/models
COPY service /app/service
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM code AS training-code
COPY training /app/training
RUN python -m compileall -q --invalidation-mode unchecked-hash /app/training

FROM ${PYTHON_IMAGE} AS base
LABEL org.opencontainers.image.title="Customer Segmentation Service" \
      org.opencontainers.image.licenses="MIT"
# A number of its own, fixed: a volume written by one version belongs to the next one too. A new named volume takes
# the owner of the folder it covers, so /data and /models are there and owned.
RUN groupadd --gid 10001 segmentation \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin segmentation \
    && install --directory --owner=10001 --group=10001 /data /models \
    && rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEGMENTATION_DATABASE_URL=sqlite:////data/segmentation.sqlite3 \
    SEGMENTATION_MODELS_DIR=/models
WORKDIR /data
USER 10001:10001

FROM base AS training
LABEL org.opencontainers.image.description="Trains segmentation models on purchase histories."
COPY --from=training-builder /venv /venv
COPY --from=training-code /app /app
# The report's charts want a folder for their font cache, and there is no home.
ENV MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]

# The last stage is what is built when none is named.
FROM base AS service
LABEL org.opencontainers.image.description="Places customers in segments over HTTP, with reasons and advice."
COPY --from=builder /venv /venv
COPY --from=code /app /app
# Loopback inside a container is reached by nobody. Without an API key the service therefore refuses to start, and
# says so.
ENV SEGMENTATION_HOST=0.0.0.0
EXPOSE 8000
STOPSIGNAL SIGTERM
# Healthy means ready: a model is loaded and places a customer, the database answers and is migrated. So that is what
# `docker compose up --wait` waits for and a proxy may send requests to. Before the first model is trained the
# container runs, is unhealthy, and the check's output says what it lacks; seconds after the training it is healthy.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "service", "healthcheck"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
