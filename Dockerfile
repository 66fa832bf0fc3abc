# Another one, or this one by its digest: docker build --build-arg PYTHON=3.13.9-slim-trixie@sha256:…
ARG PYTHON=3.13.9-slim-trixie

FROM python:${PYTHON} AS build

# The lock of what is installed: otel is service with the extra of that name, for traces.
ARG REQUIREMENTS=service

WORKDIR /source
COPY requirements/build.txt requirements/service.txt requirements/otel.txt requirements/
# The requirements change seldom: before the source, so that this layer is kept.
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && pip wheel --no-cache-dir --require-hashes --only-binary :all: --wheel-dir /wheels -r "requirements/${REQUIREMENTS}.txt"
COPY pyproject.toml setup.cfg README.md ./
COPY migrations migrations
COPY session_api session_api
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .


FROM python:${PYTHON}

LABEL org.opencontainers.image.title="Session Backend API" \
      org.opencontainers.image.description="Durable sessions for Strands agents, over PostgreSQL" \
      org.opencontainers.image.licenses="Apache-2.0"

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8001 \
    ENVIRONMENT=production

# Wheels only, then nothing is left that could install anything else.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && pip uninstall --yes pip

WORKDIR /app
# Readable for the user below, whatever umask the checkout was made with.
COPY --chmod=0644 wsgi.py gunicorn.conf.py ./

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8001

# Past urllib, which would send it through a proxy when the environment names one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['API_PORT']), timeout=2); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]

CMD ["gunicorn", "wsgi:app"]
