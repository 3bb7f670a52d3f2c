#!/bin/sh
# PostgreSQL's programs from Debian's packages, unless they are there. The cluster that Debian would set up with them, on
# port 5432, is not wanted: the tests make one of their own.
set -eu

if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then
  exit 0
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  as_root="sudo --non-interactive"
fi
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
  echo "error: PostgreSQL is needed: initdb and postgres in PATH. Debian's and Ubuntu's package postgresql brings them," \
    "but here it can't be installed: that takes apt-get, and root or sudo without a password" >&2
  exit 1
fi
no_cluster=/etc/postgresql-common/createcluster.d/mnist-pipeline.conf
$as_root mkdir -p "$(dirname $no_cluster)"
trap '$as_root rm -f $no_cluster' EXIT
echo "create_main_cluster = false" | $as_root tee $no_cluster >/dev/null
$as_root apt-get update --quiet=2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends postgresql
