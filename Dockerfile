# syntax=docker/dockerfile:1
#
# One image per app, and one of the whole product:
#
#   docker build --build-arg APP=ingress -t rockpool/ingress .
#   docker build -t rockpool/rockpool .                           everything in one process
#   docker build --target fakes -t rockpool/fakes .               stand-ins for Google services without an emulator, for development
#
# APP is rockpool, ingress, dispatcher, agent-host, scheduler or console. See docs/containers.md.

# What npm needs to know, without the sources: the layer of the installation is kept until one of these files changes.
FROM node:24-bookworm-slim AS manifests
WORKDIR /src
COPY . .
RUN mkdir /manifests && cp --parents package.json package-lock.json .npmrc apps/*/package.json libs/*/package.json tools/*/package.json /manifests

# The image's own node runs npm alone. What builds and runs Rockpool is the version that package-lock.json names.
FROM node:24-bookworm-slim AS build
# The newer node is linked against it.
RUN apt-get update && apt-get install --yes --no-install-recommends libatomic1 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY --from=manifests /manifests ./
RUN --mount=type=cache,target=/root/.npm npm ci
ENV PATH=/src/node_modules/.bin:$PATH
COPY . .
RUN npm run build
RUN mkdir --parents /runtime/lib \
  && cp --dereference "$(command -v node)" /runtime/node \
  && cp --dereference "$(ldd /runtime/node | awk '/libatomic/ { print $3 }')" /runtime/lib/

FROM build AS fakes
USER node
EXPOSE 8087 8088 8089 8090 8091 8092 8093 8094 8095
ENTRYPOINT ["/src/node_modules/.bin/node", "/src/libs/testkit/bin/google.mjs"]

FROM build AS program
ARG APP=rockpool
RUN install --directory --owner=65532 --group=65532 /app && install --directory --owner=65532 --group=65532 --mode=700 /data /keys
# Node uses compiled code only for the user, the file and the version that it was made for: all three are those of the last stage.
USER 65532:65532
RUN HOME=/tmp node tools/deploy/dist/images/main.js "$APP" --out /app --warm

# glibc, libstdc++ and certificates; no shell, no package manager. The user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot AS app
COPY --from=program /runtime/lib/ /usr/lib/
COPY --from=program /runtime/node /usr/local/bin/node
COPY --from=program --chown=65532:65532 /data /data
COPY --from=program --chown=65532:65532 /keys /keys
COPY --from=program /app /app
COPY docker/healthcheck.mjs /healthcheck.mjs
ENV HOME=/home/nonroot \
    NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.compile-cache \
    NODE_COMPILE_CACHE_PORTABLE=1 \
    PORT=8080 \
    ROCKPOOL_HOST=0.0.0.0 \
    ROCKPOOL_DATA_DIR=/data \
    ROCKPOOL_KEY_FILE=/keys/secrets.key
WORKDIR /app
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# For Docker. Cloud Run has probes of its own, and ignores it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s CMD ["/usr/local/bin/node", "/healthcheck.mjs"]
# Without a shell between, so that SIGTERM reaches the program.
ENTRYPOINT ["/usr/local/bin/node", "/app/main.js"]
CMD []
