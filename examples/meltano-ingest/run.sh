#!/bin/sh
# From HTTP to search: installs Meltano and the plugins on first use, starts the loopback server, runs the pipeline.
set -eu
umask 077
cd "$(dirname "$0")"
bin=$PWD/../../.venv/bin
[ -x "$bin/lorchestra" ] || { echo "run.sh: run 'make install' in the repository first" >&2; exit 2; }
venv=${LORCHESTRA_MELTANO_VENV:-$PWD/.venv}
export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_DISABLE_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1

if [ ! -x "$venv/bin/meltano" ]; then
    echo "installing Meltano into $venv (about 160 MB)"
    "$bin/python" -m venv "$venv"
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check install --require-hashes -r ../../requirements/meltano.txt
fi
[ -e .env ] || cp .env.example .env
if [ ! -x .meltano/extractors/tap-gmail/venv/bin/tap-gmail-loopback ]; then
    "$venv/bin/meltano" --log-level warning install
fi

# Two mailboxes with synthetic mail, and a server that is busy once and lets a token expire once.
[ -d phi-data ] || mkdir -m 700 phi-data
[ -d mail ] || mkdir mail
rm -f mail/url
if [ ! -e mail/acct1.jsonl ]; then
    for account in 1 2; do
        "$bin/lorchestra-sample" gmail-messages --name "acct$account" --output mail --records 20 --seed "$account" >/dev/null
        mv "mail/acct$account-20251110.jsonl" "mail/acct$account.jsonl"
    done
fi
"$bin/python" ../loopback/mail_server.py mail --fault acct1:429 --fault acct2:expired >mail/url &
server=$!
trap 'kill $server' EXIT
trap 'exit 130' INT TERM
while [ ! -s mail/url ]; do
    kill -0 $server || exit 1
    sleep 0.1
done
GMAIL_API_URL=$(cat mail/url)
export GMAIL_API_URL

echo "== the first run fetches everything"
"$bin/lorchestra" run --config pipeline.yaml
echo "== one day is fetched again, and merged with what exists"
"$bin/lorchestra" extract mail --from 2025-11-10 --to 2025-11-10
"$bin/lorchestra" run --config pipeline.yaml --stage index
echo "== and they can be searched"
"$bin/vector-projector" search appointment --store phi-data/vector-store --limit 3
