# Sourced by scripts/image-test and scripts/chart-test, after `report` was set to the JUnit file of
# the stage and `stage` to its name: makes the images that both run, once, in build/containers, or
# skips the stage where containers cannot run.

podman=tests/containers/podman
export GATEHOUSE_IMAGE=localhost/gatehouse:test APPLICATION_IMAGE=localhost/legacy-app:test
base_image=docker.io/library/debian:bookworm-slim

# Ends the stage as skipped, so that nobody takes it for passed.
skip() {
  cat <<TEXT

  *****************************************************************************
  ** SKIPPED: $stage did not run.
  ** $1
  *****************************************************************************

TEXT
  "$python" - "$report" "$stage" "$1" <<'CODE'
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr
report, stage, reason = sys.argv[1:]
Path(report).parent.mkdir(parents=True, exist_ok=True)
Path(report).write_text(f'<testsuites><testsuite name="{stage}"><testcase classname="{stage}" '
                        f'name="the whole stage"><skipped message={quoteattr(reason)}/>'
                        f'</testcase></testsuite></testsuites>\n')
CODE
  exit 0
}

# A Debian as small as the official one, from the packages of this machine's mirror, and only in the
# tests' own store, under the name that the Dockerfiles begin with.
make_base_image() {
  local archive=build/containers/base.tar sources
  if "$podman" image exists "$base_image"; then return; fi
  if [ ! -s "$archive" ]; then
    sources=/etc/apt/sources.list.d/debian.sources
    [ -e "$sources" ] || sources=/etc/apt/sources.list
    echo "$stage: making the base image"
    rm -f "$archive.new"
    mmdebstrap --quiet --variant=minbase --format=tar \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      bookworm "$archive.new" "$sources" || return
    mv "$archive.new" "$archive"
  fi
  "$podman" import --quiet "$archive" "$base_image" > /dev/null
}

# Everything that must work before a failure says something about Gatehouse.
prepare_containers() {
  local command log=build/containers/prepare.log
  mkdir -p build/containers
  scripts/setup containers || skip "podman and what it needs could not be installed"
  for command in podman runc mmdebstrap unshare ip; do
    command -v "$command" > /dev/null || skip "$command is not installed"
  done
  unshare --net ip link set lo up 2> "$log" ||
    skip "a network of its own for the test is not to be had: $(tail -n 1 "$log")"
  make_base_image > "$log" 2>&1 || skip "the base image could not be made: $(tail -n 1 "$log")"
  "$podman" run --rm --network host --memory 64m "$base_image" true > "$log" 2>&1 ||
    skip "podman cannot run a container here: $(tail -n 1 "$log")"
}

# The same where the images are made of programs that are there already: they have no base.
prepare_for_prebuilt() {
  local command code log=build/containers/prepare.log
  mkdir -p build/containers
  scripts/setup containers || skip "podman and what it needs could not be installed"
  for command in podman runc unshare ip; do
    command -v "$command" > /dev/null || skip "$command is not installed"
  done
  unshare --net ip link set lo up 2> "$log" ||
    skip "a network of its own for the test is not to be had: $(tail -n 1 "$log")"
  build_prebuilt "$APPLICATION_IMAGE" examples/legacy-app/Dockerfile \
    "$1/examples/legacy-app/legacy-app" > "$log" 2>&1 ||
    skip "podman cannot build an image here: $(tail -n 1 "$log")"
  # The program says how it is used and ends with 2; codes from 125 on are podman's own.
  code=0
  "$podman" run --rm --network host --memory 64m "$APPLICATION_IMAGE" --help > "$log" 2>&1 || code=$?
  [ "$code" -lt 125 ] || skip "podman cannot run a container here: $(tail -n 1 "$log")"
}

# build_prebuilt NAME DOCKERFILE PROGRAM: the last stage of the Dockerfile over the file system that
# its build stage would lay out.
build_prebuilt() {
  local root log begin=$SECONDS
  root=build/containers/root-$(basename "$3")
  log=build/containers/prebuilt-${2//[^A-Za-z0-9]/-}.log
  rm -rf "$root" "$root.bin"
  mkdir -p "$root.bin"
  {
    strip --strip-all -o "$root.bin/$(basename "$3")" "$3" &&
      scripts/image-root "$root.bin/$(basename "$3")" "$root" &&
      awk '/^FROM /{text = ""; $0 = "FROM scratch"} /^COPY --from=build /{$0 = "COPY . /"}
           {text = text $0 "\n"} END {printf "%s", text}' "$2" > "$root.Dockerfile" &&
      "$podman" build --network host --format docker --build-arg \
        REVISION="$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
        --tag "$1" --file "$root.Dockerfile" "$root"
  } > "$log" 2>&1 || { tail -n 20 "$log"; return 1; }
  echo "$stage: made $1 of a program that was there, in $((SECONDS - begin)) s"
}

# make_images [BUILD_DIRECTORY]: as the Dockerfiles say, or of what was built in that directory.
make_images() {
  if [ -z "${1:-}" ]; then
    prepare_containers && build_images
  else
    prepare_for_prebuilt "$1" && build_prebuilt "$GATEHOUSE_IMAGE" Dockerfile "$1/proxy/gatehouse"
  fi
}

# build_image NAME DOCKERFILE: layers that are there already are not made again.
build_image() {
  local log=build/containers/build-${2//[^A-Za-z0-9]/-}.log begin=$SECONDS
  # Podman ends well when it is interrupted; the id is written by a build that came to its end.
  local id=$log.id
  rm -f "$id"
  # In Docker's format, because the OCI format has no HEALTHCHECK.
  if ! "$podman" build --pull=never --network host --format docker --layers \
    --build-arg REVISION="$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
    --iidfile "$id" --tag "$1" --file "$2" . > "$log" 2>&1 || [ ! -s "$id" ]; then
    tail -n 60 "$log"
    echo "$stage: the image $1 could not be built; its log is $log"
    return 1
  fi
  echo "$stage: built $1 in $((SECONDS - begin)) s"
}

build_images() {
  build_image "$GATEHOUSE_IMAGE" Dockerfile &&
    build_image "$APPLICATION_IMAGE" examples/legacy-app/Dockerfile
}

# Runs the tests in a network of their own: only a loopback device, every port free, and what
# containers call the host's network is this one.
test_in_own_network() {
  # shellcheck disable=SC2016
  unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
    "$python" -m pytest -q --tb=short -p no:cacheprovider --junit-xml="$report" "$@"
}
