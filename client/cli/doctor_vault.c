/*
 * The vault's own ground: its root key, its store, its way back, and whether anybody hears of its alerts.
 */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base64.h"
#include "doctor_disk.h"

enum { PATH_BYTES = 4096 };

/* Where the daemon says that its things are, key_file "" for a credential; false: it did not. */
static bool ask_paths(struct doctor *doctor, char state_dir[PATH_BYTES], char key_file[PATH_BYTES])
{
	REPLY_AUTO reply = {0};

	if (!doctor_ask(doctor, REQUEST_STATUS, "{}", &reply))
		return false;
	reply_text(&reply, NULL, "store.directory", state_dir, PATH_BYTES);
	reply_text(&reply, NULL, "store.root_key_file", key_file, PATH_BYTES);
	if (*state_dir == '/')
		return true;
	doctor_cannot(doctor, "the daemon tells admins, operators and auditors alone where its store is, and "
			      "while it is open");
	return false;
}

/* ---- the root key ---- */

static bool is_one_disk(const struct mount *a, const struct mount *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static void judge_key_file(struct doctor *doctor, const char *path, const char *state_dir)
{
	struct mount key = {0}, store = {0};
	struct doctor_finding finding = {0};
	enum crypt crypt = CRYPT_UNKNOWN;

	if (!disk_mount_of(doctor, path, &key) || !disk_mount_of(doctor, state_dir, &store) ||
		!is_one_disk(&key, &store))
		return;
	crypt = disk_is_encrypted(doctor, &key);
	finding.severity = crypt == CRYPT_YES ? DOCTOR_ADVICE : DOCTOR_PROBLEM;
	doctor_say(&finding.text,
		"the root key lies in %s, on the disk of the store%s: whoever has a copy of that disk, or a "
		"backup of all of it, can read every value",
		path,
		crypt == CRYPT_YES  ? ", which is encrypted"
		: crypt == CRYPT_NO ? ", which is not encrypted"
				    : "");
	buf_append_string(&finding.mend, "systemd-creds encrypt --with-key=host+tpm2 --name=rootkey (see "
					 "cofferd(8)), or root_key on another medium");
	doctor_find(doctor, &finding);
}

/* Which key a credential is sealed with is what it begins with; these two need nothing that is not on the disk. */
enum { ID_BYTES = 16 };
static const unsigned char by_host[ID_BYTES] = {
	0x5a, 0x1c, 0x6a, 0x86, 0xdf, 0x9d, 0x40, 0x96, 0xb1, 0xd5, 0xa6, 0x5e, 0x08, 0x62, 0xf1, 0x9a};
static const unsigned char by_nothing[ID_BYTES] = {
	0x05, 0x84, 0x69, 0xda, 0xf6, 0xf5, 0x43, 0x24, 0x80, 0x05, 0x49, 0xda, 0x0f, 0x8e, 0xa2, 0xfb};

static bool read_id(struct doctor *doctor, const char *path, unsigned char id[ID_BYTES])
{
	enum { DIGITS = 24 }; /* of base64: two bytes more than the id has */
	char text[64] = "";
	size_t len = 0;
	unsigned char bytes[DIGITS] = {0};

	if (!doctor_need(doctor, path, text, sizeof(text)))
		return false;
	if (strlen(text) < DIGITS || base64_decode(text, DIGITS, bytes, sizeof(bytes), &len) != OK) {
		doctor_cannot(doctor, "%s is no credential of systemd's", path);
		return false;
	}
	memcpy(id, bytes, ID_BYTES);
	return true;
}

static bool has_tpm(const struct doctor *doctor)
{
	char text[32] = "";

	return doctor_read(doctor, "/sys/class/tpm/tpm0/tpm_version_major", text, sizeof(text)) &&
	       text[0] == '2';
}

static const char seal_anew[] = "systemd-creds decrypt --name=rootkey /etc/coffer/rootkey.cred - | "
				"systemd-creds encrypt --with-key=host+tpm2 "
				"--name=rootkey - /etc/coffer/rootkey.new, then mv it over the old one";

static void judge_credential(struct doctor *doctor, const char *state_dir)
{
	static const char blob[] = "/etc/coffer/rootkey.cred";
	unsigned char id[ID_BYTES] = {0};
	struct mount store = {0};
	struct doctor_finding finding = {0};
	bool is_open = false;

	if (!read_id(doctor, blob, id) || !disk_mount_of(doctor, state_dir, &store))
		return;
	is_open = memcmp(id, by_nothing, ID_BYTES) == 0;
	if (!is_open && memcmp(id, by_host, ID_BYTES) != 0)
		return; /* the TPM keeps a part of it */

	enum crypt crypt = disk_is_encrypted(doctor, &store);

	if (!is_open && crypt == CRYPT_YES && !has_tpm(doctor))
		return;
	finding.severity =
		is_open || (crypt != CRYPT_YES && has_tpm(doctor)) ? DOCTOR_PROBLEM : DOCTOR_ADVICE;
	doctor_say(&finding.text,
		"the root key in %s is sealed with %s%s: whoever has a copy of the disk can read every value",
		blob, is_open ? "no key at all" : "the host's key alone, which lies on a disk as well",
		crypt == CRYPT_NO ? " and the disk is not encrypted" : "");
	buf_append_string(&finding.mend,
		has_tpm(doctor)
			? seal_anew
			: "encrypt the disk (there is no TPM 2.0 to seal it with), and keep backups of /etc "
			  "and /var/lib/systemd apart from those of the store");
	doctor_find(doctor, &finding);
}

void doctor_root_key(struct doctor *doctor)
{
	char state_dir[PATH_BYTES] = "", key_file[PATH_BYTES] = "";

	if (!ask_paths(doctor, state_dir, key_file))
		return;
	if (*key_file != '\0')
		judge_key_file(doctor, key_file, state_dir);
	else
		judge_credential(doctor, state_dir);
}

/* ---- the store ---- */

void doctor_store_filesystem(struct doctor *doctor)
{
	static const char *const others[] = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs",
		"glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.ceph", "fuse.s3fs", "lustre", "gfs2",
		"ocfs2", "virtiofs", "vboxsf"};
	char state_dir[PATH_BYTES] = "", key_file[PATH_BYTES] = "";
	struct mount mount = {0};
	struct doctor_finding finding = {.severity = DOCTOR_PROBLEM};

	if (!ask_paths(doctor, state_dir, key_file) || !disk_mount_of(doctor, state_dir, &mount))
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(mount.type, others[i]) != 0)
			continue;
		doctor_say(&finding.text,
			"the store in %s is on %s (%s): another host may have it open at the same time, and "
			"what is acknowledged may not be on a disk",
			state_dir, mount.source, mount.type);
		buf_append_string(&finding.mend, "state_dir on a disk of this host");
		doctor_find(doctor, &finding);
		return;
	}
}

/* ---- the way back ---- */

void doctor_recovery(struct doctor *doctor)
{
	REPLY_AUTO reply = {0};
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	if (!doctor_ask(doctor, REQUEST_AUDIT_LIST, "{\"kind\":\"vault.recover\",\"limit\":1}", &reply))
		return;

	const struct json_token *records = reply_array(&reply, NULL, "records");

	if (records != NULL && records->count > 0)
		return;
	buf_append_string(&finding.text,
		"nobody has proven yet that a recovery key opens this vault (the audit log that is in the "
		"store has no record of it): when the root key is lost, so is everything");
	buf_append_string(&finding.mend, "systemctl stop cofferd.socket cofferd-credentials.socket "
					 "cofferd.service && runuser -u coffer -- cofferd "
					 "recover-check; systemctl start cofferd.socket "
					 "cofferd-credentials.socket");
	doctor_find(doctor, &finding);
}

/* ---- alerts ---- */

void doctor_unwatched(struct doctor *doctor)
{
	static const char *const timers[] = {"coffer-alerts.timer", "coffer-metrics.timer"};
	struct doctor_finding finding = {.severity = DOCTOR_ADVICE};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		char path[PATH_BYTES] = "";
		struct stat info = {0};

		(void)snprintf(path, sizeof(path), "%s/etc/systemd/system/timers.target.wants/%s",
			doctor->root, timers[i]);
		if (lstat(path, &info) == 0)
			return;
		if (errno != ENOENT && errno != ENOTDIR)
			doctor_cannot(doctor, "%s: %s", path, strerror(errno));
	}
	if (doctor->reason.len > 0)
		return;
	buf_append_string(&finding.text,
		"no timer looks for alerts or writes metrics: what is due, fails or runs out is seen only "
		"by whoever asks");
	buf_append_string(&finding.mend,
		"systemctl enable --now coffer-alerts.timer, with an OnFailure= of yours in a drop-in");
	doctor_find(doctor, &finding);
}
