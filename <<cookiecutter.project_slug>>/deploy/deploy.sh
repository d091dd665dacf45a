#!/usr/bin/env bash
# Installs or upgrades this service with Helm, which takes back what fails. `make deploy` calls it.
# From there come NAME, IMAGE, TAG and HELM, and from whoever calls make ENV, PROFILE and NAMESPACE; from a pipeline SIGNER and
# SIGNER_ISSUER, who has to have signed the image: the identity and the issuer in the signature's certificate.
# FORWARD_ONLY=true skips the deployment if the release is of a later commit: pipelines can overtake each other.
set -euo pipefail
: "${ENV:=}" "${PROFILE:=}" "${NAMESPACE:=}" "${SIGNER:=}" "${SIGNER_ISSUER:=}" "${FORWARD_ONLY:=}"

refuse() { echo "deploy: $1" >&2; exit 2; }
commit() { git rev-parse --verify --quiet "$1^{commit}"; }
names() { (cd "$1" && ls ./*.yaml) | sed 's|^\./||; s/[.]yaml$//; /^values$/d' | xargs; }

command -v "$HELM" >/dev/null || refuse "$HELM is not installed: Helm 3 or 4 is needed; HELM=… says where it is."
[ -f "deploy/$ENV.yaml" ] && [ "$ENV" != values ] ||
  refuse "ENV=$ENV names no environment: take one of $(names deploy)."
[ -z "$PROFILE" ] || [ -f "chart/profiles/$PROFILE.yaml" ] ||
  refuse "PROFILE=$PROFILE names no profile: take one of $(names chart/profiles)."
case $ENV:$TAG in
  development:*) ;;
  *:development | *-dirty)
    refuse "TAG=$TAG stands for no commit, so nobody could go back to it: commit, or name a TAG that was pushed." ;;
esac

if [ "$FORWARD_ONLY" = true ]; then
  ours=$(commit "$TAG") || refuse "FORWARD_ONLY needs a commit as TAG, and $TAG is none of this repository."
  [ "$(git rev-parse --is-shallow-repository)" = false ] ||
    refuse "FORWARD_ONLY needs the whole history, and this clone is shallow: git fetch --unshallow."
fi

# By the digest that was signed, whatever the tag names a moment later.
digest=
if [ -n "$SIGNER" ]; then
  [ -n "$SIGNER_ISSUER" ] || refuse "SIGNER needs SIGNER_ISSUER: who issued the identity that signed, https://gitlab.com for example."
  command -v cosign >/dev/null || refuse "cosign is not installed: it looks whether $SIGNER has signed the image."
  signed=$(cosign verify --output json --certificate-identity "$SIGNER" --certificate-oidc-issuer "$SIGNER_ISSUER" "$IMAGE:$TAG") ||
    refuse "cosign could not confirm that $SIGNER signed $IMAGE:$TAG; above is why."
  [[ $signed =~ sha256:[0-9a-f]{64} ]] || refuse "cosign named no digest: $signed"
  digest=${BASH_REMATCH[0]}
fi

# The cluster that is shown is given to Helm, so it is the one that is meant.
context=${HELM_KUBECONTEXT:-$(kubectl config current-context 2>/dev/null || true)}
namespace=${NAMESPACE:-$("$HELM" env HELM_NAMESPACE)}
case $("$HELM" version --template '{{.Version}}') in
  v3.*) take_back=--atomic ;;
  *) take_back=--rollback-on-failure ;;
esac

values=(--values deploy/values.yaml --values "deploy/$ENV.yaml" ${PROFILE:+--values "chart/profiles/$PROFILE.yaml"}
  --set-string "image.tag=$TAG" ${digest:+--set-string "image.digest=$digest"})
# Longer than the migrations may take, or Helm gives up while they run.
job=$("$HELM" template "$NAME" chart "${values[@]}" --show-only templates/migration-job.yaml 2>/dev/null || true)
timeout=300
if [[ $job =~ activeDeadlineSeconds:\ ([0-9]+) ]] && ((BASH_REMATCH[1] + 60 > timeout)); then
  timeout=$((BASH_REMATCH[1] + 60))
fi

echo "deploy: $IMAGE:$TAG, $ENV${PROFILE:+ $PROFILE}"
echo "deploy: as $NAME in namespace $namespace of ${context:-the cluster that Helm finds}"
scope=(--namespace "$namespace" ${context:+--kube-context "$context"})
if [ "$FORWARD_ONLY" = true ]; then
  if release=$("$HELM" get values "$NAME" --output yaml "${scope[@]}" 2>&1); then
    deployed=$(echo "$release" | sed -n "/^image:/,/^[^ ]/s/^  tag: *[\"']\{0,1\}\([^\"']*\).*/\1/p")
    theirs=$(commit "$deployed") || echo "deploy: the release has the tag \"$deployed\", which is no commit of this repository, so it may be older"
  elif [[ $release == *"release: not found"* ]]; then
    theirs=
  else
    refuse "Helm could not say what is deployed: $release"
  fi
  if [ -n "$theirs" ] && [ "$theirs" != "$ours" ] && git merge-base --is-ancestor "$ours" "$theirs"; then
    echo "deploy: SKIPPED, because $deployed is deployed in $ENV, and is later than $TAG. Without FORWARD_ONLY, make deploy goes back."
    [ -z "${GITHUB_OUTPUT:-}" ] || echo "overtaken=true" >>"$GITHUB_OUTPUT" # ends the delivery there
    exit 0
  fi
fi

if ! (
  set -x
  "$HELM" upgrade --install "$NAME" chart \
    "${values[@]}" \
    "${scope[@]}" ${NAMESPACE:+--create-namespace} \
    "$take_back" --timeout "${timeout}s"
); then
  kubectl="kubectl --namespace $namespace${context:+ --context $context}"
  labels="app.kubernetes.io/instance=$NAME,app.kubernetes.io/component=migration"
  echo "deploy: FAILED, and what ran before runs on. Where it got as far as the cluster, these say why:"
  echo "  $kubectl logs --tail -1 --selector $labels"
  echo "  $kubectl get events --sort-by .lastTimestamp"
  echo "  $HELM history $NAME --namespace $namespace${context:+ --kube-context $context}"
  exit 1
fi >&2
