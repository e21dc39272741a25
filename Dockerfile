# EGS Studio in one image: engine and front end, state under /data.
#
#   docker build -t egs-studio .
#   docker run --rm -p 127.0.0.1:8501:8501 -v egs-data:/data egs-studio
#
# TORCH_INDEX is the address of an index with another build of PyTorch, such as
# its official CPU wheels (a much smaller image) or those for another CUDA; see
# the installation page of PyTorch. Empty takes the usual build, which runs on
# CPUs and on NVIDIA GPUs (`docker run --gpus all`).

ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/egs
ENV PATH=/opt/egs/bin:$PATH
# PyTorch first and alone, so that its layer outlives changes of the studio.
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.9" "torchvision>=0.24"
WORKDIR /opt/egs-studio
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY engine engine
COPY pages pages
COPY storage storage
RUN pip install --editable ".[postgres]" && python -m compileall -q app engine pages storage

FROM python:${PYTHON_VERSION}-slim
RUN useradd --uid 10001 --create-home egs && install -d -o egs -g egs /data
COPY --from=build /opt/egs /opt/egs
COPY --from=build /opt/egs-studio /opt/egs-studio
# Inside the container every address is bound; who may reach the port is decided
# by how it is published, so publish it to 127.0.0.1 or put a login before it.
ENV PATH=/opt/egs/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EGS_HOME=/data \
    EGS_HOST=0.0.0.0 \
    EGS_PORT=8501 \
    EGS_ALLOW_REMOTE=1
WORKDIR /data
USER egs
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/_stcore/health' % os.environ['EGS_PORT'], timeout=4)"]
CMD ["egs", "up"]
