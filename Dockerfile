# Tunesmith in a container: `docker compose up -d --build`; docs/operating.md says more.
FROM python:3.11-slim AS build
# Where torch comes from; PyTorch's index for processors alone makes the image gigabytes smaller.
ARG TORCH_INDEX=""
RUN python -m venv /opt/tunesmith
COPY constraints.txt /src/
RUN /opt/tunesmith/bin/pip install --no-cache-dir --constraint /src/constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY pyproject.toml README.md LICENSE /src/
COPY bot /src/bot
COPY personalization /src/personalization
COPY generator /src/generator
RUN /opt/tunesmith/bin/pip install --no-cache-dir --constraint /src/constraints.txt /src

FROM python:3.11-slim
# libopus0 is what the radio speaks to voice channels with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libopus0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/tunesmith tunesmith
COPY --from=build /opt/tunesmith /opt/tunesmith
ENV PATH=/opt/tunesmith/bin:$PATH \
    TUNESMITH_HOME=/var/lib/tunesmith \
    TUNESMITH_WATCH_PORT=9464 \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONUNBUFFERED=1
USER tunesmith
WORKDIR /var/lib/tunesmith
VOLUME /var/lib/tunesmith
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/health', timeout=4)"]
ENTRYPOINT ["tunesmith"]
CMD ["serve"]
