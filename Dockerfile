# The image of casetrail. Build: docker build -t casetrail .   Run: docker run -v casetrail:/data casetrail --help
#
# The base image is named by tag, and the packages are pinned by hash. To pin the base too, pass its digest:
#     docker build --build-arg PYTHON=python:3.13-slim-trixie@sha256:... .
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Dependencies first: these layers are rebuilt only when a lock changes.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv --without-pip /opt/casetrail \
    && pip install --require-hashes -r requirements/build.txt \
    && pip --python /opt/casetrail/bin/python install --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY events events
COPY projections projections
COPY services services
COPY alembic alembic
RUN python -m hatchling build --target wheel --directory dist \
    && pip --python /opt/casetrail/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
RUN groupadd --system --gid 10001 casetrail \
    && useradd --system --uid 10001 --gid casetrail --home-dir /data --no-create-home casetrail \
    && install --directory --owner casetrail --group casetrail /data
COPY --from=build /opt/casetrail /opt/casetrail
ENV PATH=/opt/casetrail/bin:$PATH PYTHONUNBUFFERED=1
# A number, because a cluster cannot check that a name is not root.
USER 10001:10001
# The folder of casetrail.db, if no other database is named.
WORKDIR /data
VOLUME /data
ENTRYPOINT ["casetrail"]
CMD ["run"]
