# Sourced by scripts that need Debian packages: install_packages NAME... installs those that are missing.

missing_packages()
{
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
	done
}

install_packages()
{
	local missing
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "these packages are missing and only root can install them: ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o DPkg::Lock::Timeout=120 update >/dev/null </dev/null &&
		apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "${missing[@]}" >/dev/null </dev/null
}

BUILD_PACKAGES=(gcc libc6-dev pkg-config meson ninja-build libuv1-dev libsodium-dev libsqlite3-dev libinih-dev
	libsmartcols-dev libbsd-dev)
TEST_PACKAGES=("${BUILD_PACKAGES[@]}" clang libclang-rt-14-dev llvm check libcjson-dev python3 strace)
