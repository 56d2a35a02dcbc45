#!/usr/bin/env bash
# presidio-analyzer 2.2.366, its recogniser of e-mail addresses.
# Expected: a pattern and a check, done on this machine; looking for personal data touches no network.
# It does: the check that the address ends in a known domain is tldextract's, which fetches the list of public suffixes from the internet
# before its first answer, and keeps it in a folder of its own. A tool that was to keep texts away from any network makes requests.
#
# Seen: presidio-analyzer 2.2.366
#       after creating the recogniser, hosts asked for: []
#       after one text, hosts asked for: ['publicsuffix.org', 'raw.githubusercontent.com']
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "presidio-analyzer==2.2.366" "tldextract==5.4.0"
cd "$work"
cat > hosts.py <<'PY'
"""Note every host name that is looked up, and answer as a machine without a network does."""
import logging
import socket
from importlib.metadata import version

asked = []


def no_network(host, *_, **__):
    asked.append(host)
    raise socket.gaierror("no network")


socket.getaddrinfo = no_network
logging.disable(logging.CRITICAL)

from presidio_analyzer.predefined_recognizers import EmailRecognizer  # noqa: E402

print("presidio-analyzer", version("presidio-analyzer"))
recogniser = EmailRecognizer()
print("after creating the recogniser, hosts asked for:", asked)
found = recogniser.analyze("Please write to someone@example.org.", ["EMAIL_ADDRESS"], None)
print("after one text, hosts asked for:", asked)
assert len(found) == 1, "changed: the address is no longer found"
assert asked == ["publicsuffix.org", "raw.githubusercontent.com"], "changed: the recogniser no longer asks these hosts"
PY
TLDEXTRACT_CACHE="$work/cache" venv/bin/python hosts.py
