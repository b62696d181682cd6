# One layer of packages from the lock, on top of the layers below it. `python -m images` builds one of these
# for every set of packages that the same steps use, so that their images share it.
ARG BUILD_IMAGE=python:3.11-slim
ARG PARENT
FROM ${BUILD_IMAGE} AS uv
ARG UV_VERSION
ENV PIP_CACHE_DIR=/var/cache/pip UV_CACHE_DIR=/var/cache/uv
RUN --mount=type=bind,source=images/install.py,target=/install.py \
    --mount=type=secret,id=ca --mount=type=secret,id=index \
    --mount=type=cache,target=/var/cache/pip \
    python3 /install.py uv "${UV_VERSION}"

FROM uv AS packages
RUN --mount=type=bind,source=images/install.py,target=/install.py \
    --mount=type=bind,source=requirements.txt,target=/requirements.txt \
    --mount=type=secret,id=ca --mount=type=secret,id=index \
    --mount=type=cache,target=/var/cache/uv \
    python3 /install.py packages /layer /requirements.txt

FROM ${PARENT}
COPY --from=packages /layer/ /
