#!/usr/bin/env bash
# The archive and the Debian package of a build.
#   packages.sh BUILD SCRATCH            unpacks both in SCRATCH, which is emptied, and runs the program from there
#   packages.sh BUILD SCRATCH --clean    installs the Debian package in a Debian 12 of debootstrap without a compiler, and runs
#                                        it there; ends with 77 and says why where no such system can be made
set -euo pipefail
build=$(realpath "$1") scratch=$2 clean=${3-}
skip() { echo "SKIPPED: $*"; exit 77; }
command -v dpkg-deb >/dev/null || skip "this system has no dpkg-deb"
command -v dpkg-shlibdeps >/dev/null || skip "this system has no dpkg-shlibdeps (package dpkg-dev)"

rm -rf "$scratch" && mkdir -p "$scratch/tree" "$scratch/deb"
scratch=$(realpath "$scratch")
version=$("$build/diopter" --version | grep -o '[0-9]*\.[0-9]*\.[0-9]*' | head -n 1)
for kind in TGZ DEB; do
  (cd "$scratch" && cpack --config "$build/CPackConfig.cmake" -G $kind -B "$scratch/packages" >"$scratch/cpack.log" 2>&1) ||
    { cat "$scratch/cpack.log"; exit 1; }
done

# Runs PROGRAM, with nothing of this shell's environment.
try() {
  local program=$1
  env -i "$program" --version | grep -F "$version"
  env -i "$program" info --preset small >/dev/null
  env -i "$program" shapes --train 2 --val 1 --size 32 --seed 1 --out "$scratch/shapes" >/dev/null
  rm -r "$scratch/shapes"
}

tar -xzf "$scratch"/packages/diopter-"$version"-*.tar.gz -C "$scratch/tree" --strip-components=1
try "$scratch/tree/bin/diopter"
[[ -f $scratch/tree/include/diopter.h && -f $scratch/tree/lib/libdiopter.so ]] ||
  ls "$scratch"/tree/lib/*/libdiopter.so >/dev/null
package=$(ls "$scratch"/packages/diopter_"$version"*.deb)
[[ $(dpkg-deb -f "$package" Version) == "$version" ]]
dpkg-deb -f "$package" Depends | grep -E 'libtbb|libopenblas|libdnnl' # libraries that only the linker knows of
dpkg-deb -x "$package" "$scratch/deb"
try "$scratch/deb/usr/bin/diopter"
[[ $clean == --clean ]] || exit 0

[[ $(id -u) -eq 0 ]] || skip "only root can change into another system"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
system=$scratch/system
debootstrap --variant=minbase bookworm "$system" http://deb.debian.org/debian >"$scratch/debootstrap.log" 2>&1 ||
  skip "debootstrap cannot make a Debian 12: $(tail -n 1 "$scratch/debootstrap.log")"
cp "$package" "$system/opt/diopter.deb"
chroot "$system" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
  apt-get -q install -y --no-install-recommends /opt/diopter.deb >"$scratch/apt.log" 2>&1 || { cat "$scratch/apt.log"; exit 1; }
! chroot "$system" /usr/bin/env -i PATH=/usr/bin:/bin sh -c 'command -v c++ || command -v g++'
chroot "$system" /usr/bin/env -i PATH=/usr/bin:/bin diopter --version | grep -F "$version"
chroot "$system" /usr/bin/env -i PATH=/usr/bin:/bin diopter shapes --train 2 --val 1 --size 32 --seed 1 --out /opt/shapes
echo "installed and run in Debian $(cat "$system/etc/debian_version")"
rm -rf "$system"
