# docker build --target cpu -t dsg:cpu .      processors only
# docker build --target gpu -t dsg:gpu .      NVIDIA GPUs; the host needs the driver and NVIDIA's container toolkit
#
# Data and results stay outside: -v "$PWD/data:/dsg/data" -v "$PWD/output:/dsg/output". CUDA comes with TensorFlow's own
# packages, so both stages start from the same image.

FROM python:3.11-slim-bookworm AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /dsg

# The requirements change less often than the sources.
FROM base AS cpu-environment
COPY requirements.txt ./
RUN python -m venv /environment && /environment/bin/pip install -r requirements.txt

FROM base AS gpu-environment
COPY requirements.txt ./
RUN sed 's/^tensorflow-cpu /tensorflow[and-cuda] /' requirements.txt > requirements-gpu.txt \
    && python -m venv /environment && /environment/bin/pip install -r requirements-gpu.txt

FROM cpu-environment AS cpu
COPY . .
ENV PATH=/environment/bin:$PATH DSG_PYTHON=/environment/bin/python PYTHONPATH=/dsg/lib
RUN make PYTHON=/environment/bin/python
CMD ["python", "tools/demo.py"]

FROM gpu-environment AS gpu
COPY . .
ENV PATH=/environment/bin:$PATH DSG_PYTHON=/environment/bin/python PYTHONPATH=/dsg/lib
RUN make PYTHON=/environment/bin/python
CMD ["python", "tools/demo.py"]
