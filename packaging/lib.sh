# Sourced by the scripts that build: packages from Debian, and builds with Meson.

# The packages among these that are not installed.
missing_packages()
{
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
	done
}

# Installs those of these packages that are missing.
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

# Debian's server package would make and start a cluster of its own when it is installed; we make ours.
install_postgresql()
{
	local hold=/etc/postgresql-common/createcluster.d/coffer.conf status=0
	[ -n "$(missing_packages postgresql)" ] || return 0
	[ "$(id -u)" -ne 0 ] || { mkdir -p "${hold%/*}" && echo "create_main_cluster = false" >"$hold"; }
	install_packages postgresql || status=1
	rm -f "$hold"
	return "$status"
}

BUILD_PACKAGES=(gcc libc6-dev pkg-config meson ninja-build libuv1-dev libsodium-dev libsqlite3-dev libinih-dev
	libsmartcols-dev libseccomp-dev)
TEST_PACKAGES=("${BUILD_PACKAGES[@]}" clang libclang-rt-14-dev llvm check libcjson-dev python3 python3-hypothesis
	python3-prometheus-client python3-psycopg2 strace chromium systemd-container mmdebstrap scdoc man-db zsh
	bash-completion fish lintian apparmor)
DEB_PACKAGES=("${BUILD_PACKAGES[@]}" build-essential debhelper dh-apparmor python3 scdoc)

# configure_build DIR COMPILER OPTION...: an older build of that place is used again when it can be
configure_build()
{
	local dir=$1 compiler=$2
	shift 2
	if [ -e "$dir/build.ninja" ]; then
		CC=$compiler meson setup --reconfigure "$dir" "$@" && return 0
		rm -rf -- "$dir"
	fi
	CC=$compiler meson setup "$dir" "$@"
}
