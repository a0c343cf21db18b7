/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pid 1 of a test node (user-mode Linux): mounts, loads modules, runs jobs.
 *
 * Invariant: every job that was started gets a status file, written after the
 * output file is complete on the host. Owner: tests/uml/lib.sh, which writes
 * one command a line to ttyS0:
 *   r ID   run /mnt/job/ID with bash, output to ID.out, exit status to ID.status
 *   k ID   kill the process group of that job
 *   h      power off, orderly
 * Jobs run at the same time if asked so. The kernel command line gives node=K,
 * dir=DIR (the node's directory on the host) and tree=DIR (the build tree).
 * Limits: JOBS_MAX jobs at a time; the host's root file system is read-only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define JOB_DIR "/mnt/job"
#define JOBS_MAX 64
#define LINE_BYTES 128

struct job {
	pid_t pid; /* 0: free */
	int output;
	char id[LINE_BYTES];
};

static struct job jobs[JOBS_MAX];

/* What the tests may write to; a place that the host has not got is left out. */
static const char *const scratch_places[] = {
	"/dev/shm", "/run", "/tmp", "/mnt", "/var/lib/corosync", "/var/log", "/etc/corosync",
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	printf("dmclog-init: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(": %s\n", strerror(errno));
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static int file_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	if (close(fd) < 0 || written != (ssize_t)strlen(text))
		return -EIO;
	return 0;
}

static void directory_make_all(const char *path)
{
	char part[PATH_MAX];
	char *slash;

	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0755);
		*slash = '/';
	}
	mkdir(part, 0755);
}

static bool path_is_under(const char *path, const char *place)
{
	size_t length = strlen(place);

	return strncmp(path, place, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Shows a directory of the host at `path`, which a mount of ours may cover. */
static void host_directory_mount(const char *host, const char *path, unsigned long flags)
{
	directory_make_all(path);
	if (mount("none", path, "hostfs", flags, host) < 0)
		die("hostfs %s on %s", host, path);
}

static void file_systems_mount(const char *dir, const char *tree)
{
	bool covered = path_is_under(tree, "/dev");
	size_t i;

	if (mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		die("proc, sysfs");
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY)
		die("devtmpfs");
	mkdir("/dev/shm", 01777);
	for (i = 0; i < sizeof(scratch_places) / sizeof(scratch_places[0]); i++) {
		if (access(scratch_places[i], F_OK) < 0)
			continue;
		if (mount("tmpfs", scratch_places[i], "tmpfs", 0, "mode=1777") < 0)
			die("tmpfs on %s", scratch_places[i]);
		covered = covered || path_is_under(tree, scratch_places[i]);
	}
	if (covered)
		host_directory_mount(tree, tree, MS_RDONLY);
	host_directory_mount(dir, JOB_DIR, 0);
	mkdir("/run/lock", 01777);
}

/* Each node its own machine id, where the host has one that can be covered. */
static void machine_id_set(const char *node)
{
	char id[64];

	snprintf(id, sizeof(id), "d3c106d00000000000000000%08x\n", (unsigned)atoi(node));
	if (file_write("/run/machine-id", id, 0444) == 0)
		(void)mount("/run/machine-id", "/etc/machine-id", NULL, MS_BIND, NULL);
}

static int command_run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The host has no modules of this kernel under /lib: a root of its own for kmod. */
static void modules_load(void)
{
	static const char *const modules[] = { "cn", "dm-mod", "dm-mirror", "dm-log-userspace" };
	char command[128];
	size_t i;

	directory_make_all("/run/mod/lib");
	if (symlink("/usr/lib/uml/modules", "/run/mod/lib/modules") < 0)
		die("modules");
	file_write("/run/modprobe", "#!/bin/sh\nexec modprobe -d /run/mod \"$@\"\n", 0755);
	file_write("/proc/sys/kernel/modprobe", "/run/modprobe", 0644);
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		snprintf(command, sizeof(command), "modprobe -d /run/mod %s", modules[i]);
		if (command_run(command) != 0)
			die("modprobe %s", modules[i]);
	}
}

static struct job *job_find(const char *id)
{
	int i;

	for (i = 0; i < JOBS_MAX; i++)
		if (jobs[i].pid && (!id || strcmp(jobs[i].id, id) == 0))
			return &jobs[i];
	return NULL;
}

/* Renamed into place, so that the host never reads half of it. */
static void job_status_write(const char *id, int status)
{
	char path[PATH_MAX], temporary[PATH_MAX], text[16];

	snprintf(path, sizeof(path), JOB_DIR "/%s.status", id);
	snprintf(temporary, sizeof(temporary), JOB_DIR "/%s.status-new", id);
	snprintf(text, sizeof(text), "%d\n", status);
	if (file_write(temporary, text, 0644) < 0 || rename(temporary, path) < 0)
		printf("dmclog-init: %s: %s\n", path, strerror(errno));
}

static void job_child(const char *id, int output)
{
	char path[PATH_MAX];
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (chdir("/run") < 0)
		_exit(126);
	snprintf(path, sizeof(path), JOB_DIR "/%s", id);
	execl("/bin/bash", "bash", path, (char *)NULL);
	_exit(127);
}

static void job_start(const char *id)
{
	char path[PATH_MAX];
	struct job *job = NULL;
	int i;

	for (i = 0; i < JOBS_MAX && !job; i++)
		if (!jobs[i].pid)
			job = &jobs[i];
	if (!job) {
		job_status_write(id, 125);
		return;
	}
	snprintf(path, sizeof(path), JOB_DIR "/%s.out", id);
	job->output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (job->output < 0) {
		job_status_write(id, 125);
		return;
	}
	snprintf(job->id, sizeof(job->id), "%s", id);
	job->pid = fork();
	if (job->pid == 0)
		job_child(id, job->output);
	if (job->pid < 0) {
		job->pid = 0;
		close(job->output);
		job_status_write(id, 125);
	}
}

static void children_reap(void)
{
	pid_t pid;
	int status, i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < JOBS_MAX && jobs[i].pid != pid; i++)
			;
		if (i == JOBS_MAX)
			continue; /* somebody's orphan */
		/* A background process may keep the file open: bring it out now. */
		fsync(jobs[i].output);
		close(jobs[i].output);
		jobs[i].pid = 0;
		job_status_write(jobs[i].id,
				 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
}

static void line_obey(const char *line)
{
	struct job *job;

	if (line[0] == 'r' && line[1] == ' ') {
		job_start(line + 2);
	} else if (line[0] == 'k' && line[1] == ' ') {
		job = job_find(line + 2);
		if (job)
			kill(-job->pid, SIGKILL);
	} else if (line[0] == 'h') {
		sync();
		reboot(RB_POWER_OFF);
	}
}

static void commands_read(int tty)
{
	static char line[LINE_BYTES];
	static size_t used;
	char bytes[256];
	ssize_t count = read(tty, bytes, sizeof(bytes));
	ssize_t i;

	for (i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			line[used] = '\0';
			line_obey(line);
			used = 0;
		} else if (used < sizeof(line) - 1) {
			line[used++] = bytes[i];
		}
	}
}

static int tty_open(void)
{
	struct termios raw;
	int tty = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0 || tcgetattr(tty, &raw) < 0)
		die("ttyS0");
	cfmakeraw(&raw);
	if (tcsetattr(tty, TCSANOW, &raw) < 0)
		die("ttyS0 raw");
	return tty;
}

static void environment_set(const char *node, const char *tree)
{
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/run", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("NODE", node, 1);
	setenv("TREE", tree, 1);
	/* There is no udev here to wait for: libdevmapper makes the nodes itself. */
	setenv("DM_DISABLE_UDEV", "1", 1);
}

int main(void)
{
	const char *node = getenv("node"), *dir = getenv("dir"), *tree = getenv("tree");
	struct pollfd polled[2];
	char hostname[16];
	sigset_t child;

	printf("dmclog-init: up\n");
	if (!node || !dir || !tree)
		die("node, dir or tree missing");
	environment_set(node, tree);
	file_systems_mount(dir, tree);
	machine_id_set(node);
	modules_load();
	(void)command_run("ip link set lo up");
	snprintf(hostname, sizeof(hostname), "n%s", node);
	if (sethostname(hostname, strlen(hostname)) < 0)
		die("hostname");

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	polled[0] = (struct pollfd){ .fd = tty_open(), .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = signalfd(-1, &child, SFD_CLOEXEC), .events = POLLIN };
	job_status_write("ready", 0);
	for (;;) {
		struct signalfd_siginfo info;

		if (poll(polled, 2, -1) < 0)
			continue;
		if (polled[1].revents && read(polled[1].fd, &info, sizeof(info)) > 0)
			children_reap();
		if (polled[0].revents)
			commands_read(polled[0].fd);
	}
}
