#!/usr/bin/env bash
# Runs a command beside a fresh ID token of this job, for a kubeconfig that holds no secret: deploy/id-token.sh make deploy
# The token is the file `id-token` in the kubeconfig's folder. `tokenFile: id-token` in the kubeconfig reads it, or the plugin
# of a cloud. GitLab gives it as ID_TOKEN, and it lives as long as the job. GitHub is asked for it, for the audience
# ID_TOKEN_AUDIENCE, and again every ID_TOKEN_SECONDS: GitHub's live for 5 minutes, which is shorter than some deployments.
set -euo pipefail
: "${KUBECONFIG:?is needed, as the token is kept beside that file}" "${ID_TOKEN_SECONDS:=120}"

folder=$(cd "$(dirname "$KUBECONFIG")" && pwd)
export AWS_WEB_IDENTITY_TOKEN_FILE=$folder/id-token AZURE_FEDERATED_TOKEN_FILE=$folder/id-token

# Whoever reads the file finds a whole token. It is printed nowhere, not even to mask it: among another program's output, that
# line would not be taken for a command.
keep() { (umask 077 && printf %s "$1" >"$folder/id-token.new") && mv "$folder/id-token.new" "$folder/id-token"; }

ask() {
  local answer
  answer=$(
    echo "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
      curl --fail --silent --show-error --max-time 20 --retry 3 --header @- \
        --get --data-urlencode "audience=$ID_TOKEN_AUDIENCE" "$ACTIONS_ID_TOKEN_REQUEST_URL"
  ) || return
  [[ $answer =~ \"value\":\ *\"([^\"]+)\" ]] || { echo "id-token: GitHub's answer has no value." >&2; return 1; }
  keep "${BASH_REMATCH[1]}"
}

if [ -n "${ID_TOKEN:-}" ]; then
  keep "$ID_TOKEN"
  exec "$@"
fi

: "${ID_TOKEN_AUDIENCE:?names who is to trust the token}"
: "${ACTIONS_ID_TOKEN_REQUEST_URL:?is missing: the job needs the permission id-token, write}"
ask || { echo "id-token: GitHub gave no token for the audience $ID_TOKEN_AUDIENCE; above is why." >&2; exit 1; }
# The loop ends with the pipe, and the pipe with this script, however that ends.
exec 3> >(
  while read -r -t "$ID_TOKEN_SECONDS" || (($? > 128)); do
    ask || echo "id-token: not renewed; the next attempt is in $ID_TOKEN_SECONDS s." >&2
  done
)
"$@" 3>&-
