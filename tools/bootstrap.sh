#!/bin/sh
# Makes .venv ready: bootstrap.sh run | test. Does nothing when it is ready already.
# Needs only a shell and a Python from 3.11 to 3.13; PYTHON=… chooses one. pip's own configuration holds.
set -eu

purpose=${1:?run or test}
cd "$(dirname "$0")/.."

say() { if [ -t 2 ]; then printf '\033[1m==>\033[0m %s\n' "$*"; else printf '==> %s\n' "$*"; fi >&2; }
die() { printf 'visavis: %s\n' "$*" >&2; exit 1; }
suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
has_apt() { command -v apt-get >/dev/null 2>&1; }

# Debian packages, quietly; the package lists are only fetched where they do not know one yet.
apt_install() {
    is_root && has_apt || return 1
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    apt-get update -q >/dev/null 2>&1 && apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if suitable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is not a Python from 3.11 to 3.13"
    die "no Python from 3.11 to 3.13 found. Install one (Debian: apt install python3 python3-venv;" \
        "macOS: brew install python@3.13), or say which: make $purpose PYTHON=/path/to/python3.12"
}

make_venv() {
    python=$(find_python)
    say "Making .venv with $("$python" -V) ($python)"
    rm -rf .venv
    "$python" -m venv .venv >/dev/null 2>&1 && return
    # Debian keeps a part of venv in a package of its own.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    rm -rf .venv
    if is_root && has_apt; then
        say "Installing python3-venv"
        if apt_install "python$version-venv" && "$python" -m venv .venv >/dev/null 2>&1; then return; fi
        rm -rf .venv
    fi
    if "$python" -m virtualenv --version >/dev/null 2>&1 ||
        "$python" -m pip install -q --user virtualenv >/dev/null 2>&1; then
        "$python" -m virtualenv -q .venv && return
    fi
    die "$python cannot make virtual environments. Debian and Ubuntu: sudo apt install python$version-venv; then run make again"
}

# pip install, with one line that counts up to the number of packages given first, and pip's own words when it fails.
pip_install() {
    count=$1 log=.venv/pip.log
    shift
    {
        PYTHONUNBUFFERED=1 .venv/bin/python -m pip install --disable-pip-version-check --no-input "$@" 2>&1 ||
            echo "pip failed"
    } | tee "$log" | awk -v count="$count" -v live="$([ -t 2 ] && echo 1 || echo 0)" '
        /^(Collecting|Processing|Obtaining|Requirement already) / {
            split($2 == "already" ? $4 : $2, name, /[=;]/); sub(/.*\//, "", name[1]); sub(/-[0-9].*/, "", name[1]); done++
            if (live) printf "\r\033[K    %d of %d: %s", done, count, name[1]
            else if (done % 10 == 0) printf "    %d of %d\n", done, count
        }
        /^(Installing|Building|Preparing|Attempting)/ && live { printf "\r\033[K    unpacking" }
        { fflush() }
        END { if (live) printf "\r\033[K" }' >&2
    if [ "$(tail -n 1 "$log")" = "pip failed" ]; then
        tail -n 20 "$log" >&2
        die "pip could not install the above (all of its words: $log); then run make again"
    fi
}

# What the environment was made from: while it stays the same there is nothing to do.
lock=requirements.lock
[ "$purpose" = run ] || lock=requirements-dev.lock
wanted=$(cat "$lock" pyproject.toml tools/bootstrap.sh | cksum)
stamp=.venv/.ready-to-$purpose

suitable .venv/bin/python || make_venv
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "Installing the libraries of $lock (some hundred MB: minutes on a slow line)"
    pip_install "$(grep -c '==' "$lock")" --require-hashes -r "$lock"
    say "Installing visavis"
    pip_install 1 --no-deps -e .

    # A more human English voice; visavis speaks without it, too.
    if ! .venv/bin/python -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("flite"))'; then
        if is_root && has_apt; then
            say "Installing the flite voices (libflite1)"
            apt_install libflite1 || say "libflite1 could not be installed; speech comes from espeak-ng"
        elif has_apt; then
            say "For a more human English voice: sudo apt install libflite1"
        fi
    fi
    if [ "$purpose" = run ]; then
        say "Fetching the models of the embedded parts"
        .venv/bin/visavis models pull --within 120 || say "Going on without; later: .venv/bin/visavis models pull"
    fi
    echo "$wanted" >"$stamp"
fi

if [ "$purpose" = test ] && [ ! -e .venv/.browser ]; then
    found=
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v $browser >/dev/null 2>&1 && found=$browser && break
    done
    if [ -z "$found" ]; then
        say "Installing Chromium for the tests in a browser"
        apt_install chromium || .venv/bin/playwright install chromium ||
            die "no Chromium for the tests: install it (Debian: sudo apt install chromium), then run make test again"
    fi
    touch .venv/.browser
fi
