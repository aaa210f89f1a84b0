# The three images of docker-compose.yaml, each from the same locks as the checkout's own environment.

FROM apache/airflow:3.3.2-python3.11 AS airflow
COPY requirements.txt /requirements.txt
# The locked set agrees with the image's own Airflow; hashes make sure that it is what was tested.
RUN pip install --no-cache-dir --require-hashes -r /requirements.txt
COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins

FROM python:3.11-slim-bookworm AS local-azure
WORKDIR /app
COPY requirements-dev.txt /app/requirements-dev.txt
RUN pip install --no-cache-dir --require-hashes -r /app/requirements-dev.txt
COPY local_azure /app/local_azure
# It runs other people's function apps: not as root.
RUN useradd --create-home app && mkdir /state && chown app /state
USER app

FROM node:20-bookworm-slim AS azurite
WORKDIR /app
COPY package.json package-lock.json .npmrc /app/
RUN npm ci && mkdir /data && chown node /data
ENV PATH=/app/node_modules/.bin:$PATH
USER node
