# syntax=docker/dockerfile:1
# The bases are pinned by digest in releases: --build-arg BUILD_DIGEST=@sha256:... and
# --build-arg BASE_DIGEST=@sha256:... ; without them their tags are taken.
ARG RUST_VERSION=1.95
ARG BUILD_DIGEST=
ARG BASE_DIGEST=

# With a C compiler and make, which the allocator and TLS are built with.
FROM rust:${RUST_VERSION}-bookworm${BUILD_DIGEST} AS build
WORKDIR /src
# The same source gives the same binary: no path of the machine gets into it.
ENV RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=/cargo"
# Dependencies first, in a layer of their own that lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo/ .cargo/
COPY crates/core/Cargo.toml crates/core/
COPY crates/aws/Cargo.toml crates/aws/
COPY crates/k8s/Cargo.toml crates/k8s/
COPY crates/serve/Cargo.toml crates/serve/
COPY crates/sim/Cargo.toml crates/sim/
RUN mkdir src benches crates/core/src crates/aws/src crates/k8s/src crates/serve/src \
        crates/sim/src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs benches/estimate.rs benches/fleet.rs benches/whatif.rs \
        crates/core/src/lib.rs crates/aws/src/lib.rs crates/k8s/src/lib.rs \
        crates/serve/src/lib.rs crates/sim/src/lib.rs \
    && cargo build --release --locked --bin setpoint \
    && rm -r src crates/*/src
COPY config/ config/
COPY crates/ crates/
COPY iam/ iam/
COPY src/ src/
# Shown by setpoint_build_info and --version.
ARG SETPOINT_REVISION=unknown
# The time of every file in the image.
ARG SOURCE_DATE_EPOCH=0
RUN find src crates config iam -exec touch {} + \
    && if [ "${SOURCE_DATE_EPOCH}" != 0 ]; then \
           SETPOINT_BUILD_DATE="$(date -u -d "@${SOURCE_DATE_EPOCH}" +%F)"; \
           export SETPOINT_BUILD_DATE; fi \
    && SETPOINT_REVISION=${SETPOINT_REVISION} cargo build --release --locked --bin setpoint \
    && mkdir -p /out/usr/local/bin /out/usr/local/share/man/man1 \
        /out/usr/local/share/bash-completion/completions \
    && cp target/release/setpoint /out/usr/local/bin/setpoint \
    && target/release/setpoint man --out /out/usr/local/share/man/man1 \
    && target/release/setpoint completions bash \
        > /out/usr/local/share/bash-completion/completions/setpoint \
    && find /out -exec touch --no-dereference --date=@${SOURCE_DATE_EPOCH} {} +

# glibc, libgcc and CA certificates; no shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot${BASE_DIGEST}
ARG SETPOINT_REVISION=unknown
ARG SETPOINT_VERSION=0.1.0
LABEL org.opencontainers.image.title="setpoint" \
      org.opencontainers.image.description="Keeps the auto scaling targets of Amazon SageMaker endpoints honest" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/setpoint/setpoint" \
      org.opencontainers.image.version="${SETPOINT_VERSION}" \
      org.opencontainers.image.revision="${SETPOINT_REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 9090
ENTRYPOINT ["/usr/local/bin/setpoint"]
CMD ["run"]
