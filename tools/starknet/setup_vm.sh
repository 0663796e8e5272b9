#!/usr/bin/env bash
# The environment of StarkWare's Python Starknet state, for tests: setup_vm.sh DIR; does nothing where DIR is complete.
# Apart from the library's own, since cairo-lang 0.13.3 holds packages back. crypto-cpp-py and poseidon_py are StarkWare's hashes in C++.
set -euo pipefail
target=${1:?usage: setup_vm.sh DIR}
[[ -x $target/bin/machine-python ]] && exit 0
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "setup_vm.sh needs Python 3.11 or newer" >&2; exit 2; }
"$python" -m venv --clear "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check \
  cairo-lang==0.13.3 sympy==1.14.0 'setuptools<70' crypto-cpp-py==2.0.0 poseidon_py==0.2.0
ln -s python "$target/bin/machine-python"  # made last: the environment is complete
