# sconce on the CPU; Dockerfile.cuda is the one for GPUs. docs/docker.md says how it is built, run and derived from.
#
#   docker build -t sconce .                            without Python
#   docker build -t sconce:python --target python .     with what Python handlers run in
ARG NODE_VERSION=22.23.3

FROM node:${NODE_VERSION}-bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake ninja-build python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/sconce
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
# PyPI's torch is the CUDA build, whose CPU part is used; PyTorch's own index for CPU builds gives a smaller one.
ARG PIP_INDEX_URL
COPY requirements.txt ./
COPY scripts/lib scripts/lib
RUN bash -euc '. scripts/lib/say.sh; . scripts/lib/system.sh; . scripts/lib/torch.sh; ensure_libtorch'
COPY . .
RUN npm run build:ts && npm run build:native && bash scripts/image-root /image

FROM build AS python-packages
ARG PIP_INDEX_URL
RUN python3 -m venv /opt/python \
    && /opt/python/bin/python -m pip install --no-cache-dir -r requirements.txt torchserve==0.12.0 \
        pyyaml==6.0.4 psutil==7.2.2 packaging==26.4 numpy==2.4.6

FROM node:${NODE_VERSION}-bookworm-slim AS server
COPY --from=build /image /
ENV NODE_ENV=production \
    SCONCE_HOST=0.0.0.0 \
    SCONCE_METRICS_HOST=0.0.0.0 \
    SCONCE_MANAGEMENT_HOST=127.0.0.1 \
    SCONCE_MODEL_STORE=/models \
    SCONCE_MODELS=all
WORKDIR /models
USER 10001:10001
EXPOSE 8080 8082
# docs/hosting.md
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true \
    com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SCONCE_PORT||process.env.AIP_HTTP_PORT||process.env.SAGEMAKER_BIND_TO_PORT||process.env.PORT||8080}/ping`).then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["sconce"]
CMD ["serve"]

FROM server AS python
USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=python-packages /opt/python /opt/python
ENV PATH=/opt/python/bin:$PATH
USER 10001:10001

# What a build without --target gives.
FROM server
