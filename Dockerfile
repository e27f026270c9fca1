# One image for every part: `serve`, `gateway`, `deploy`, a Prefect server, a worker, and the flows that a worker starts in containers.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/countermand
RUN python -m venv .venv
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN .venv/bin/python -m pip install --require-hashes --requirement requirements.lock --constraint requirements.lock
COPY . .
RUN .venv/bin/python -m pip install --no-deps --no-build-isolation --editable .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/countermand --shell /usr/sbin/nologin countermand
COPY --from=build /opt/countermand /opt/countermand
WORKDIR /opt/countermand
ENV PATH=/opt/countermand/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    COUNTERMAND_HOME=/var/lib/countermand \
    COUNTERMAND_LOG__FORMAT=json \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT=false
USER 10001
VOLUME ["/var/lib/countermand"]
EXPOSE 8400
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/health', timeout=4)"]
ENTRYPOINT ["countermand"]
CMD ["serve"]
