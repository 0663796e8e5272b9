#!/usr/bin/env bash
# Assemble a Cairo 2.10 compiler for tests from registry packages: setup_cairo.sh DIR
# Gives DIR/bin/starknet-compile and DIR/bin/starknet-sierra-compile, beside DIR/corelib; does nothing where DIR exists.
# PyPI's cairo-lang 0.13.5 ships the static binaries but an incomplete core library; npm's wasm-cairo 0.10.2 embeds a
# complete one, which extract_corelib.py takes out of its data section; two small declarations bridge the versions.
# A test compiler: release builds and published class hashes come from Scarb.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$(realpath -m "${1:?usage: setup_cairo.sh DIR}")
[[ -d $target ]] && exit 0
for tool in npm python3 tar; do
  command -v "$tool" >/dev/null || { echo "setup_cairo.sh needs $tool, which is not installed" >&2; exit 2; }
done
python3 -m pip --version >/dev/null || { echo "setup_cairo.sh needs pip: python3 -m ensurepip" >&2; exit 2; }
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: cairo-lang==0.13.5
npm pack --silent wasm-cairo@0.10.2 >/dev/null
python3 -m zipfile -e cairo-lang-0.13.5.zip .
mkdir cairo
mv cairo-lang-0.13.5/starkware/starknet/compiler/v1/sierra-compiler-major-1/bin cairo/bin
chmod +x cairo/bin/*
tar xzf wasm-cairo-0.10.2.tgz package/wasm-cairo_bg.wasm
python3 "$here/extract_corelib.py" package/wasm-cairo_bg.wasm cairo/corelib/src
core=cairo/corelib/src
printf '\npub trait Fn<T, Args> {\n    type Output;\n    fn call(self: @T, args: Args) -> Self::Output;\n}\n' >> $core/ops/function.cairo
sed -i 's/^pub use function::FnOnce;/pub use function::{Fn, FnOnce};/' $core/ops.cairo
printf '\npub extern fn bounded_int_is_zero<T>(value: T) -> crate::zeroable::IsZeroResult<T> implicits() nopanic;\n' >> $core/internal/bounded_int.cairo
cairo/bin/starknet-compile --version
cairo/bin/starknet-sierra-compile --version
mv cairo "$target"
