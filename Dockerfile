# Gatehouse as a container image: the program, the libraries it needs and CA certificates, nothing
# else; no shell, no package manager. Build it in the root of the repository:
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t gatehouse .
#
# docs/deploy.md says how to run it.

FROM debian:bookworm-slim AS build
COPY scripts/setup /source/scripts/setup
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && /source/scripts/setup build \
  && rm -rf /var/lib/apt/lists/*

COPY . /source
WORKDIR /source
# A library is compiled in a few pieces, which takes a third of the time; the cache serves the next
# build.
RUN --mount=type=cache,target=/root/.cache/ccache \
  export CCACHE_DIR=/root/.cache/ccache \
  && cmake --preset release -DCMAKE_UNITY_BUILD=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF \
  && cmake --build --preset release --target gatehouse \
  && strip --strip-all build/release/proxy/gatehouse
RUN scripts/image-root build/release/proxy/gatehouse /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Gatehouse" \
  org.opencontainers.image.description="A login in front of a web application that has none" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.base.name="debian:bookworm-slim" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# A number, because Kubernetes' runAsNonRoot cannot look names up.
USER 65532:65532
EXPOSE 8080 9902
# SIGTERM drains, which is what `docker stop` sends.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/usr/bin/gatehouse", "healthcheck"]
ENTRYPOINT ["/usr/bin/gatehouse"]
CMD ["run", "--config", "/etc/gatehouse/gatehouse.yaml"]
