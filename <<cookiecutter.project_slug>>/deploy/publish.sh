#!/usr/bin/env bash
# Pushes the images of all architectures as they were built and tested, build/image-*/image.tar, under one tag, and signs that.
# `make publish` calls it, in a pipeline, with IMAGE and TAG.
set -euo pipefail
shopt -s nullglob

refuse() { echo "publish: $1" >&2; exit 2; }

archives=(build/image-*/image.tar)
[ "${#archives[@]}" != 0 ] ||
  refuse "there is no build/image-*/image.tar: make image-archive writes build/image.tar, on a machine of each architecture."
for tool in docker skopeo cosign; do
  command -v "$tool" >/dev/null || refuse "$tool is not installed."
done

images=()
for archive in "${archives[@]}"; do
  image=$IMAGE:$TAG-$(basename "${archive%/image.tar}" | sed 's/^image-//')
  echo "publish: $image"
  # With its attestations, and no byte of it changed.
  skopeo copy --quiet --all --preserve-digests --retry-times 3 "oci-archive:$archive" "docker://$image"
  images+=("$image")
done

docker buildx imagetools create --progress plain --tag "$IMAGE:$TAG" "${images[@]}"
digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$IMAGE:$TAG")
echo "publish: $IMAGE:$TAG is $digest"
cosign sign --yes "$IMAGE@$digest"
