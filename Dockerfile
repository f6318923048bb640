# genrescope in a container: the command line and the service, slim, without root, with the CPU build of torch and the weights of all built-in models.
#   docker build -t genrescope .
#   docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp genrescope                  # the service
#   docker run --rm -v ~/Music:/data:ro -v "$PWD:/work" -u "$(id -u)" genrescope predict /data  # any other command
# For GPUs: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130. Other extras: --build-arg EXTRAS=serve,scale
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=export,scale,search,serve,tables,train,tune
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/genrescope \
 && /opt/genrescope/bin/pip install --no-compile --no-deps --index-url "$TORCH_INDEX" -c constraints.txt torch \
 && /opt/genrescope/bin/pip install --no-compile -c constraints.txt ".[$EXTRAS]"

# What no command uses: tests, headers, torch's own test programs, Ray's Java, and the symbols of libraries.
WORKDIR /opt/genrescope/lib/python3.11/site-packages
RUN rm -rf torch/test torch/include pyarrow/include ray/jars \
 && find torch/bin -type f ! -name torch_shm_manager -delete \
 && find . -type d -name tests -prune -exec rm -rf {} + \
 && find . -type f -size +1M -not -path '*.libs/*' \( -name '*.so' -o -name '*.so.*' -o -name raylet -o -name gcs_server \) -exec strip --strip-unneeded {} + \
 && find . -type d -name __pycache__ -prune -exec rm -rf {} +

# A song is classified and the service imported, which leaves the bytecode of just the modules that these use.
ENV PATH=/opt/genrescope/bin:$PATH GENRESCOPE_CACHE=/opt/genrescope/cache
RUN genrescope models get genres \
 && genrescope synth /tmp/songs --artists 1 --tracks 1 --seconds 5 --quiet \
 && genrescope predict /tmp/songs --quiet \
 && python -c "import genrescope.serve.server, uvicorn.protocols.http.h11_impl" \
 && rm -r /tmp/songs

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin genrescope \
 && install --directory --owner 10001 /work
COPY --from=build /opt/genrescope /opt/genrescope
ENV PATH=/opt/genrescope/bin:$PATH GENRESCOPE_CACHE=/opt/genrescope/cache GENRESCOPE_LIBRARY=/work/library.db \
    PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001
WORKDIR /work
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["genrescope"]
CMD ["serve", "genres", "--host", "0.0.0.0", "--allowed-host", "localhost", "--log-format", "json"]
