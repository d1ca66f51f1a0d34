# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What data/demo and tests/run share: the list of Debian packages, installing what is missing of them, building, and
# how their work is shown. To be sourced by bash; the caller sets LOG, the file that takes all output of the stages.

# What it takes to build and run the relay on a bare Debian 12. gcc comes with libc6-dev only when recommended
# packages are installed too; dbus-daemon is for a private bus; libglib2.0-bin has gdbus.
BUILD_PACKAGES=(
  gcc libc6-dev meson ninja-build pkgconf
  libglib2.0-dev libsoup-3.0-dev libjson-glib-dev libsystemd-dev libsqlite3-dev libsecret-1-dev
  gettext dbus-daemon libglib2.0-bin
)

# What the tests take on top: the other compiler, the checkers, the man pages, a foreign server and its certificates,
# the other bus, the programs of systemd that work without it running, and what the examples are written for; shells,
# notification servers and what it takes to see and click.
# shellcheck disable=SC2034
TEST_PACKAGES=(
  clang libclang-rt-dev valgrind shellcheck
  clang-tidy clang-tools cppcheck gcovr
  scdoc man-db
  python3-pyte xterm
  python3 python3-pytest python3-websockets python3-dbusmock python3-gi python3-dbus openssl
  systemd dbus-broker iproute2 gjs jq
  bash-completion fish zsh curl dbus-bin
  dunst xfce4-notifyd notification-daemon mako-notifier sway grim xvfb xdotool imagemagick
  gir1.2-atspi-2.0 at-spi2-core fonts-dejavu-core
  gnome-keyring libsecret-tools
  dbus-user-session util-linux nftables
  gnome-shell fonts-cantarell librsvg2-common
)

# What the programs take that the benchmark sets beside the relay: those written in Python are held to what the relay does
# by the tests, too.
TEST_PACKAGES+=(python3-dbus-next)
# shellcheck disable=SC2034
BENCH_PACKAGES=(nodejs)

# What fuzzing takes on top: with AFL++, and to count lines.
# shellcheck disable=SC2034
FUZZ_PACKAGES=(afl++ llvm)

# For the types of GNOME Shell, which are on npm's registry. Debian's npm brings 300 packages along: only where there is
# no other one.
[[ -n $(command -v npm) ]] || TEST_PACKAGES+=(npm)

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The packages among "$@" that are not installed, a line each.
missing_packages() {
  local package
  for package; do
    # shellcheck disable=SC2016 # dpkg-query's own ${}
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || say "$package"
  done
}

# Installs what is missing of "$@". As root, or with a sudo that asks for no password, nothing is asked; who may not
# install is told the command. On another distribution than Debian or its kin meson will say what it cannot find.
install_missing() {
  local missing as_root=()
  if ! command -v apt-get dpkg-query >/dev/null; then
    say "  This is not Debian: install what meson asks for ($*)."
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} > 0)) || return 0

  if ((EUID != 0)); then
    as_root=(sudo -n)
    if ! sudo -n true 2>/dev/null; then
      say "Some packages are missing, and you may not install them without a password. Run this, then try again:" >&2
      say "" >&2
      say "  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  stage "installing ${#missing[@]} packages" install_packages
}

# A fresh machine knows no packages before the first update; a stale one knows those that are gone. An update that
# fails for one of several sources does no harm where the others have what is needed.
install_packages() {
  "${as_root[@]}" apt-get update || say "apt-get update failed; trying with the lists at hand"
  "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
}

# build DIRECTORY [MESON-OPTION...]: configures (anew, if the directory was made for another tree) and builds: all of it, or
# $TARGET.
build() {
  local directory=$1 known=''
  shift
  if [[ -d $directory/meson-private ]]; then
    known=$(cat "$directory/meson-info/meson-info.json" 2>/dev/null || true)
    if [[ $known != *"\"$SOURCE\""* ]] || ! meson configure "$directory" "$@"; then
      rm -rf -- "$directory"
    fi
  fi
  if [[ ! -d $directory/meson-private ]]; then
    meson setup "$directory" "$SOURCE" "$@" || return
  fi
  ninja -C "$directory" ${TARGET:+"$TARGET"}
}

# stage TITLE COMMAND...: one line for one step, with its time; the output goes to $LOG, and is shown if it fails.
stage() {
  local title=$1 began=$SECONDS from status=0
  shift
  say "== $title: $*" >>"$LOG"
  from=$(wc -c <"$LOG")
  printf '  %-58s' "$title"
  "$@" >>"$LOG" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    printf ' ok  %4d s\n' $((SECONDS - began))
  else
    printf ' FAILED %4d s\n' $((SECONDS - began))
    tail -c +$((from + 1)) "$LOG" | tail -n 60 | sed 's/^/    | /'
    say "    The whole output is in $LOG"
  fi
  return "$status"
}
