#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: format, lints, unit and integration tests, real clients.
#
#   tests/run.sh            everything
#   tests/run.sh --no-setup leaves the machine as it is (what is missing then fails by name)
#
# Needs a Rust toolchain. Debian packages are installed with apt-get when run as root; Python packages go into
# target/test-python and touch nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(libvips-tools libtiff-tools libjpeg-turbo-progs zip unzip php-cli php-soap python3-venv sqlite3 systemd ghostscript libgs-common poppler-utils imagemagick libimage-exiftool-perl ffmpeg librsvg2-bin libheif-examples fonts-dejavu-core fonts-liberation fonts-noto-cjk tango-icon-theme
    qpdf libmagickcore-6.q16-6-extra iipimage-server libfcgi-bin
    golang-golang-x-image-dev golang-github-disintegration-imaging-dev golang-github-jung-kurt-gofpdf-dev
    golang-github-rwcarlsen-goexif-dev graphviz-doc cups-filters pstoedit postgresql)
tools=(vips vipsheader tiffinfo cjpeg djpeg zip unzip php sqlite3 systemd-analyze gs pdftoppm convert exiftool ffmpeg ffprobe rsvg-convert heif-convert heif-info heif-enc
    qpdf tiffcp cgi-fcgi /usr/lib/iipimage-server/iipsrv.fcgi psql pg_createcluster)
# Real files that tests look at: packages that hold nothing else of use here.
files=(/usr/share/icons/Tango/scalable/apps /usr/share/gocode/src/golang.org/x/image/testdata
    /usr/share/gocode/src/github.com/disintegration/imaging/testdata /usr/share/gocode/src/github.com/jung-kurt/gofpdf/pdf
    /usr/share/gocode/src/github.com/rwcarlsen/goexif/exif/samples /usr/share/doc/graphviz/pdf
    /usr/share/cups/data/form_english.pdf /usr/share/doc/pstoedit/examples
    /usr/share/doc/libimage-exiftool-perl/html/MIE1.1-20070121.pdf)

# Slim container images leave out documentation; these are files for tests.
documents=()
for package in graphviz pstoedit libimage-exiftool-perl; do
    documents+=(-o "Dpkg::Options::=--path-include=/usr/share/doc/$package/*")
done

missing() {
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || printf '%s ' "$tool"
    done
    for file in "${files[@]}"; do
        [ -e "$file" ] || printf '%s ' "$file"
    done
    php -m 2>/dev/null | grep -qx soap || printf 'php-soap '
}

set_up() {
    if [ -n "$(missing)" ]; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "== installing ${packages[*]}"
            apt-get update -q >/dev/null
            DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${documents[@]}" "${packages[@]}" >/dev/null
        else
            echo "tests/run.sh: missing: $(missing)" >&2
            echo "Install the Debian packages ${packages[*]}, or run this as root." >&2
            exit 1
        fi
    fi
    if [ ! -x target/test-python/bin/python ]; then
        echo "== making a Python environment for the SOAP clients"
        mkdir -p target
        python3 -m venv target/test-python
    fi
    target/test-python/bin/python -m pip install -q --disable-pip-version-check -r tests/clients/requirements.txt
}

# A full disk ends a build with signals of the linker that say nothing of it.
room() {
    local target=${CARGO_TARGET_DIR:-target} needed=6 free
    mkdir -p "$target"
    free=$(($(df --output=avail -k "$target" | tail -1) / 1024 / 1024))
    if [ "$free" -lt "$needed" ] && [ ! -d "$target/debug/deps" ]; then
        echo "tests/run.sh: $free GB are free in $target; a clean build and the tests' files need $needed" >&2
        exit 1
    fi
}

# Most of what tests write lives for a second, and a disk takes longer for it than the tests themselves: it goes to
# memory where that has room for it, and to the folder for temporary files otherwise.
in_memory() {
    local needed=$((6 * 1024 * 1024)) free memory
    free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
    memory=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    if [ -z "${TMPDIR:-}" ] && [ "${free:-0}" -gt "$needed" ] && [ "${memory:-0}" -gt $((2 * needed)) ]; then
        TMPDIR=$(mktemp -d /dev/shm/prepress-tests.XXXXXX)
        export TMPDIR
        # Some tests are another user for a while.
        chmod 1777 "$TMPDIR"
        trap 'rm -rf "$TMPDIR"' EXIT
    fi
}

[ "${1:-}" = --no-setup ] || set_up
room
# What is built once needs no files to build it faster a second time: they are as large as all the rest.
export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"

echo "== format"
cargo fmt --check
echo "== lints and build"
# Clippy's driver is the compiler with more to say: what it lints it also builds, and nothing is built twice. Both variables are those by
# which `cargo clippy -- -D warnings` calls it.
export RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__
RUSTC_WORKSPACE_WRAPPER="$(rustc --print sysroot)/bin/clippy-driver"
cargo test --no-run
echo "== tests"
in_memory
PREPRESS_TEST_PYTHON="$PWD/target/test-python/bin/python" cargo test
