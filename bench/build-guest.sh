#!/usr/bin/env bash
# Builds the Linux guest of the benchmark from Debian packages: DIR/{bzImage,initramfs.cpio.gz}, the same with the drivers of
# disks and network cards (devices.cpio.gz), the programs that also run on the host, and the BIOS for machines that bring none.
#   usage: build-guest.sh DIR
#   needs Debian with gcc-multilib and cpio, and its i386 packages within apt's reach; as root, once:
#     dpkg --add-architecture i386 && apt-get update && apt-get install gcc-multilib cpio
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:?usage: build-guest.sh DIR}"
out=$(cd "$1" && pwd)

fail() { printf 'build-guest.sh: %s\n' "$*" >&2; exit 1; }
for tool in apt-get dpkg-deb gcc nm cpio gzip strip; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; the guest is built on Debian"
done
echo 'int main(void) { return 0; }' | gcc -m32 -static -x c -o /dev/null - 2>/dev/null ||
  fail 'gcc cannot build 32-bit programs: apt-get install gcc-multilib'
dpkg --print-foreign-architectures | grep -qx i386 || [ "$(dpkg --print-architecture)" = i386 ] ||
  fail 'i386 packages are out of reach: dpkg --add-architecture i386 && apt-get update'

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# The newest kernel for processors without PAE.
kernel=$(apt-cache search --names-only '^linux-image-[0-9.-]*-686$' | awk '{print $1}' | sort -V | tail -1)
[ -n "$kernel" ] || fail "apt knows no linux-image-*-686: apt-get update"
# _apt may not write here, and apt says so at length.
apt-get -q -o APT::Sandbox::User=root download "$kernel:i386" busybox-static:i386 seabios
for package in *.deb; do dpkg-deb -x "$package" packages; done

cp packages/boot/vmlinuz-* "$out/bzImage"
cp packages/usr/share/seabios/bios.bin "$out/bios.bin"
cp packages/usr/share/seabios/vgabios-stdvga.bin "$out/vgabios.bin"
cp packages/bin/busybox "$out/busybox"
flags=(-m32 -O2 -fno-tree-vectorize -static -msse2 -mfpmath=sse -Wno-format-security)
gcc "${flags[@]}" -o "$out/bench" "$here/guest/bench.c"
# Else the rows "integer" and "integer, page-aligned" would be the same.
read -r sieve_start sieve_bytes < <(nm -S "$out/bench" | awk '$4 == "sieve" {print "0x" $1, "0x" $2}')
[ $((sieve_start / 4096)) -ne $(((sieve_start + sieve_bytes - 1) / 4096)) ] ||
  echo 'build-guest.sh: warning: sieve lies within a page with this compiler; both integer rows will be alike' >&2
# No loop crosses the end of a page.
gcc "${flags[@]}" -falign-functions=4096 -o "$out/bench-aligned" "$here/guest/bench.c"
gcc "${flags[@]}" -o "$out/qsort" "$here/guest/qsort.c"

# /dev/console comes with every kernel's own initramfs.
root=root
mkdir -p "$root"/{bin,proc,sys,dev,tmp}
install -m755 "$out/busybox" "$root/bin/busybox"
for name in sh true; do ln -s busybox "$root/bin/$name"; done
for name in bench bench-aligned qsort; do strip -o "$root/bin/$name" "$out/$name"; done
install -m755 "$here/../guest-images/built/reel" "$root/bin/reel"
install -m755 "$here/guest/init" "$root/init"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | sort | cpio --quiet --reproducible -o -H newc -R 0:0 | gzip -9n) >initramfs.cpio.gz

# The rows of the devices get an archive behind it, with drivers and an init of its own; the other rows boot without.
modules=$(echo packages/lib/modules/*/kernel)
module_file() { find "$modules" -name "${1//[-_]/[-_]}.ko"; }
# The names of a module and of what it needs, in the order in which they are loaded.
with_needs() {
  local name needed
  for name in "$@"; do
    needed=$(tr '\0' '\n' <"$(module_file "$name")" | sed -n 's/^depends=//p' | tr , ' ')
    # shellcheck disable=SC2086
    [ -z "$needed" ] || with_needs $needed
    echo "$name"
  done
}
install -D -m755 "$here/guest/init-devices" devices/init
install -D -m755 "$here/guest/lease" devices/bin/lease
add_drivers() {
  local folder=devices/drivers/$1 number=10 name
  shift
  mkdir -p "$folder"
  for name in $(with_needs "$@" | awk '!seen[$0]++'); do
    cp "$(module_file "$name")" "$folder/$number-$name.ko"
    number=$((number + 1))
  done
}
add_drivers disk ata_piix sd_mod
add_drivers network e1000 ne2k-pci
find devices -exec touch -h -d @0 {} +
{
  cat initramfs.cpio.gz
  (cd devices && find . | sort | cpio --quiet --reproducible -o -H newc -R 0:0 | gzip -9n)
} >"$out/devices.cpio.gz"
{
  printf '%s\n' "$kernel" && dpkg-deb -f "$kernel"*.deb Version
  dpkg-deb -f busybox-static*.deb Package Version && gcc --version | head -1
} >"$out/versions.txt"
# Last: with it the guest counts as built.
mv initramfs.cpio.gz "$out/"
