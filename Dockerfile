# genrescope serve in a container: slim, without root, with the CPU build of torch and the weights of the default model.
#   docker build -t genrescope .
#   docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp genrescope
# Your own model: docker run ... -v "$PWD/runs/first:/model:ro" genrescope /model
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/genrescope \
 && /opt/genrescope/bin/pip install -c constraints.txt ".[serve]" \
 && GENRESCOPE_CACHE=/opt/genrescope/cache /opt/genrescope/bin/genrescope models get genres

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin genrescope
COPY --from=build /opt/genrescope /opt/genrescope
ENV PATH=/opt/genrescope/bin:$PATH GENRESCOPE_CACHE=/opt/genrescope/cache PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["genrescope", "serve", "--host", "0.0.0.0", "--allowed-host", "localhost", "--log-format", "json"]
CMD ["genres"]
