"""What `helm test` runs in the cluster: asks the service through its Services and shows what failed."""

import json
import os
import sys
import urllib.error
import urllib.request

API, INTERNAL = os.environ["API"], os.environ["INTERNAL"]
# In production it only reads.
WRITES = os.environ.get("WRITES") == "true"
# Where the API asks for a token, being refused without one is as it should be.
REFUSED = 401 if os.environ.get("OIDC_ISSUER") else None


def send(method: str, url: str, body: object) -> tuple[int, str, str]:
    """Sends a request; returns the status, the Location and the beginning of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers.get("Location", ""), response.read(500).decode(errors="replace")


def main() -> int:
    """Runs all requests, whatever becomes of one; returns how many failed."""
    requests = [
        {"method": "GET", "url": f"{INTERNAL}/readyz", "status": 200},
        {"method": "GET", "url": f"{API}/openapi.json", "status": 200},
    ]
    requests += [{**request, "url": API + request["path"]} for request in json.loads(os.environ["REQUESTS"])]
    failed, location = 0, ""
    for request in requests:
        if not WRITES and (request["method"] not in {"GET", "HEAD"} or "{location}" in request["url"]):
            print("skipped", request["method"], request["path"], "test.writes is off")
            continue
        if REFUSED and "{location}" in request["url"] and not location:
            print("skipped", request["method"], request["path"], "nothing was created without a token")
            continue
        url, expected = request["url"].replace("{location}", location), request["status"]
        try:
            status, new_location, answer = send(request["method"], url, request.get("body"))
        except OSError as error:
            status, new_location, answer = 0, "", str(error)
        location = new_location or location
        ok = status in {expected, REFUSED}
        reason = "" if ok else f"expected {expected}: {answer}"
        print("ok    " if ok else "FAILED", request["method"], url, status, reason)
        failed += not ok
    print(f"{failed} of {len(requests)} requests failed")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
