FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/capacity-pilot
ENV PATH=/opt/capacity-pilot/bin:$PATH
WORKDIR /src
# Dependencies first: they change less often than the package.
COPY requirements/run.lock requirements/run.lock
RUN pip install --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY capacity_pilot capacity_pilot
RUN pip install --no-deps .

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/capacity-pilot /opt/capacity-pilot
# Compiled while the image is built, for any processor of its kind. A read-only container keeps the
# folder as a volume, which begins with what the image has in it.
ENV PATH=/opt/capacity-pilot/bin:$PATH \
    NUMBA_CACHE_DIR=/var/cache/capacity-pilot \
    NUMBA_CPU_NAME=generic
# The second folder is for the journal of a pilot that shares no state table.
RUN install -d -o 10001 -g 10001 "$NUMBA_CACHE_DIR" /var/lib/capacity-pilot
WORKDIR /var/lib/capacity-pilot
# Outside a container the daemon listens on loopback only; here senders come from the network.
ENV CAPACITY_PILOT_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that an orchestrator can verify it is not root without reading /etc/passwd.
USER 10001:10001
RUN python -c "from capacity_pilot.daemon.rehearsal import rehearse; rehearse()"
VOLUME /var/cache/capacity-pilot /var/lib/capacity-pilot
# OTLP over gRPC, OTLP over HTTP, health
EXPOSE 4317 4318 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2).close()"]
ENTRYPOINT ["capacity-pilot"]
CMD ["run"]
