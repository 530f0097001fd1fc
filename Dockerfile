# syntax=docker/dockerfile:1
# The Go release is go.mod's, at its latest patch: a test compares them.
ARG GO_VERSION=1.26
FROM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/limpet ./cmd/limpet

# Nothing but the binary and the certificates by which it knows Redis over TLS: no shell, no package, no root.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/limpet /limpet
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/limpet"]
CMD ["serve", "-c", "/etc/limpet/limpet.yaml"]
