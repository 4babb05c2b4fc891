#!/usr/bin/env bash
# An environment for tests/distributed: SLEPc, PETSc and MPI of Debian, and NumPy 1.26, which these are compiled for.
#     bash tests/distributed/install.sh FOLDER [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
python=${2:-python3}
packages="python3-slepc4py-real python3-petsc4py-real python3-mpi4py openmpi-bin"
missing() { ! dpkg-query -W -f='${db:Status-Status}\n' "$@" 2> /dev/null | grep -qx installed; }
wanted=$(for package in $packages; do if missing "$package"; then echo "$package"; fi; done)
# Debian's modules are of Debian's Python: another one of the same version will do.
version=$(/usr/bin/python3 -c 'import sys; print(*sys.version_info[:2], sep=".")' 2> /dev/null || true)
own=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")' 2> /dev/null || true)
if [ "$own" != "${version:-none}" ]; then
  python=/usr/bin/python3
  if ! $python -c 'import ensurepip' 2> /dev/null; then wanted="$wanted python3-venv"; fi
fi
if [ -n "$wanted" ]; then
  root=
  if [ "$(id -u)" -ne 0 ]; then root=sudo; fi
  $root apt-get update
  # shellcheck disable=SC2086
  $root apt-get install -y --no-install-recommends $wanted
fi
"$python" -m venv "$folder"
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Links, for in the folder beside mpi4py there is an older NumPy.
ln -sfn /usr/lib/python3/dist-packages/mpi4py "$site/mpi4py"
for name in petsc slepc; do
  place=$(echo /usr/lib/${name}dir/${name}*/*-real/lib/python3/dist-packages/${name}4py)
  ln -sfn "${place##* }" "$site/${name}4py"
done
# Without the kernel, which no rank asks for: what another environment has built in the source folder stays.
EIGENGRAD_COMPILE=0 "$folder/bin/python" -m pip --disable-pip-version-check install --quiet \
  --constraint tests/distributed/constraints.txt --editable '.[torch,jax,autograd,dask]' pytest
"$folder/bin/python" -c 'from slepc4py import SLEPc; from petsc4py import PETSc; print("SLEPc", *SLEPc.Sys.getVersion())'
