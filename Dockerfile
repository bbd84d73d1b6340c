# The image of the server: the static program alone, where Karmada's manifests call it. README.md says how it is built.
FROM scratch
COPY target/x86_64-unknown-linux-musl/dist/karmada-aggregated-apiserver /bin/
ENTRYPOINT ["/bin/karmada-aggregated-apiserver"]
