# The image of the server: the static program alone, where Karmada's manifests call it. README.md says how it is built.
FROM scratch
# A cluster without a CA of its own is verified by public ones.
COPY --from=alpine:3 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY target/x86_64-unknown-linux-musl/dist/karmada-aggregated-apiserver /bin/
ENTRYPOINT ["/bin/karmada-aggregated-apiserver"]
