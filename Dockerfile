# The service: web server and workers. Build it from the repository's root:
#
#   docker build --build-arg BASE=debian:12-slim -t kiok:dev .
#
# BASE is any Debian 12. The sandbox images are others: `make images`.
ARG BASE=debian:12-slim

FROM ${BASE} AS system
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update \
 && apt-get -qq install -y --no-install-recommends ca-certificates git gpg openssh-client python3 >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/kiok --shell /usr/sbin/nologin kiok \
 && install -d -o kiok -g kiok -m 0700 /var/lib/kiok

# The packages, each checked against its hash. pip stays behind in this stage.
FROM system AS packages
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update \
 && apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
COPY requirements/server.txt /requirements.txt
RUN python3 -m venv /opt/kiok/venv \
 && /opt/kiok/venv/bin/pip --disable-pip-version-check install --quiet --no-cache-dir --require-hashes -r /requirements.txt \
 && /opt/kiok/venv/bin/python -m compileall -q /opt/kiok/venv/lib \
 && /opt/kiok/venv/bin/pip --disable-pip-version-check uninstall --quiet -y pip setuptools

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
USER kiok
VOLUME /var/lib/kiok
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "/opt/kiok/app/manage.py"]
CMD ["run"]
