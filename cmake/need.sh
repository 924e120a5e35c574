# shellcheck shell=bash
# Sourced by ./test, ./demo and tests/bench/run: `need GROUP...` installs what is missing of these groups of
# cmake/debian-packages.txt. With nothing missing it needs neither the network nor root.

need() {
  local list groups missing=() package status
  list=$(dirname "${BASH_SOURCE[0]}")/debian-packages.txt
  groups=$(IFS='|'; echo "$*")
  while read -r package; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$status" = installed ] || missing+=("$package")
  done < <(sed -nE "s/^($groups) //p" "$list" | sort -u)
  [ ${#missing[@]} -eq 0 ] && return 0

  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "these packages are missing, and installing them takes root: ${missing[*]}" >&2
      return 1
    fi
    root=(sudo)
  fi
  echo "installing: ${missing[*]}"
  "${root[@]}" bash -s -- "${missing[@]}" <<'INSTALL'
set -e
export DEBIAN_FRONTEND=noninteractive
# Some of the packages are daemons (sshd, ser2net, conserver): nobody asked for them to run, now or after a boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
# --no-remove: rather fail and say why than take away, say, the libboost1.74-dev of somebody's other project.
apt-get install -q -y --no-remove --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" < /dev/null
for package in "$@"; do
  for unit in $(dpkg -L "$package" | sed -nE 's,^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket))$,\2,p'); do
    if command -v systemctl > /dev/null; then systemctl -q disable "$unit" || true; fi
  done
done
INSTALL
}
