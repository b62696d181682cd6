# What lies below every step's packages: the base image, with bytecode for its own Python.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE} AS bytecode
COPY images/install.py /install.py
RUN ["python3", "/install.py", "standard-library", "/layer"]

FROM ${BASE_IMAGE}
COPY --from=bytecode /layer/ /
ENV PYTHONPATH=/opt/baton:/opt/packages PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
