# The environment of requirements.lock and this clone. To build everything: docker build --tag mnist . && docker run mnist
FROM python:3.13-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 mnist \
    && install --directory --owner mnist --group mnist /home/mnist/pipeline
USER mnist
WORKDIR /home/mnist/pipeline
COPY --chown=mnist:mnist requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --quiet --require-hashes -r requirements.lock
COPY --chown=mnist:mnist . ./
RUN make setup
ENV PATH=/home/mnist/pipeline/.venv/bin:$PATH
CMD ["make", "repro"]
