#!/usr/bin/env bash
# Pushes the images of all architectures as they were built and tested, build/image-*/image.tar, under one tag, and signs that.
# `make publish` calls it, in a pipeline, with IMAGE and TAG. What is signed is told by digests from here, not by the registry's tags.
set -euo pipefail
shopt -s nullglob

refuse() { echo "publish: $1" >&2; exit 2; }

archives=(build/image-*/image.tar)
[ "${#archives[@]}" != 0 ] ||
  refuse "there is no build/image-*/image.tar: make image-archive writes build/image.tar, on a machine of each architecture; put it into build/image-amd64, say."
for tool in docker skopeo cosign; do
  command -v "$tool" >/dev/null || refuse "$tool is not installed."
done

images=()
for archive in "${archives[@]}"; do
  folder=${archive%/image.tar}
  echo "publish: $IMAGE:$TAG-${folder#build/image-}"
  # With its attestations, and no byte of it changed.
  skopeo copy --quiet --all --preserve-digests --retry-times 3 --digestfile "$folder/digest" \
    "oci-archive:$archive" "docker://$IMAGE:$TAG-${folder#build/image-}"
  images+=("$IMAGE@$(cat "$folder/digest")")
done

docker buildx imagetools create --progress plain --metadata-file build/index.json --tag "$IMAGE:$TAG" "${images[@]}"
[[ $(cat build/index.json) =~ \"digest\":\ *\"(sha256:[0-9a-f]{64})\" ]] || refuse "buildx named no digest: $(cat build/index.json)"
digest=${BASH_REMATCH[1]}
echo "publish: $IMAGE:$TAG is $digest"
cosign sign --yes "$IMAGE@$digest"
