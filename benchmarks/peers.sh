#!/usr/bin/env bash
# Makes .peers/: others (the frameworks that minidl is compared with), minidl (with NumPy alone), minidl-fast.
set -euo pipefail
cd "$(dirname "$0")/.."

make() {  # NAME PACKAGE...
    python3 -m venv ".peers/$1"
    ".peers/$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
}

make minidl -e .
make minidl-fast -e '.[fast]'
make others 'torch==2.13.0' jax scikit-learn threadpoolctl tinygrad autograd keras

# tinygrad calls clang. Where there is none, the one that comes with zig does; its name for this machine is "native".
if ! command -v clang > /dev/null; then
    make others ziglang
    cat > .peers/others/bin/clang << 'END'
#!/usr/bin/env bash
arguments=()
for argument in "$@"; do
    [[ $argument == --target=* ]] || arguments+=("$argument")
done
exec "$(dirname "$0")/python" -m ziglang cc -g0 -fno-sanitize=all "${arguments[@]}"
END
    chmod +x .peers/others/bin/clang
fi
