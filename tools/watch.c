/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status as a live screen: see watch.h.
 *
 * Invariant: whatever ends it, the terminal gets its settings and its screen back.  Signals are taken by a descriptor, so that
 * nothing is drawn or restored in a handler.
 */
#define _GNU_SOURCE 1
#include "tools/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tools/show.h"
#include "tools/terminal.h"

#define PERIOD_MS 1000

/* The other screen, no cursor, long lines cut; and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
/* Behind what was drawn: there the client says what is wrong, below what was true last. */
#define CURSOR_KEEP "\0337"
#define CURSOR_BACK "\0338\033[J"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"

struct screen {
	struct termios before;
	int signals;
};

static int screen_open(struct screen *screen)
{
	struct termios raw;
	sigset_t set;

	if (tcgetattr(STDIN_FILENO, &screen->before) < 0)
		return -errno;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0)
		return -errno;
	raw = screen->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)fputs(SCREEN_ENTER "\033[H" CURSOR_KEEP, stdout);
	return 0;
}

static void screen_close(struct screen *screen)
{
	(void)fputs(SCREEN_LEAVE, stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	(void)close(screen->signals);
}

/* Over what was there, so that nothing flickers: each line clears its rest, what is below it goes. */
static void screen_put(const char *text)
{
	unsigned int rows = terminal_height();
	const char *line = text, *end;

	(void)fputs("\033[H", stdout);
	for (unsigned int row = 1; row < rows && *line != '\0'; row++, line = end + 1) {
		end = strchrnul(line, '\n');
		(void)fwrite(line, 1, (size_t)(end - line), stdout);
		(void)fputs("\033[K\r\n", stdout);
		if (*end == '\0')
			break;
	}
	(void)fputs("\033[J" CURSOR_KEEP, stdout);
}

static int draw(const struct json_object *answer)
{
	struct show_style style = { .width = terminal_width(), .colours = terminal_has_colours() };
	time_t now = time(NULL);
	char *text = NULL, clock[32] = "";
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct tm local;
	int r;

	if (out == NULL)
		return -ENOMEM;
	if (localtime_r(&now, &local) != NULL)
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	(void)fprintf(out, "dmclog status, %s; q ends\n\n", clock);
	r = show_status(answer, &style, out);
	if (fclose(out) != 0)
		r = -ENOMEM;
	if (r == 0)
		screen_put(text);
	free(text);
	return r;
}

/* A new connection each time: the daemon may have been started again.  What fails is said by the client. */
static int look(struct invocation *invocation,
		int (*ask)(struct invocation *invocation, struct json_object **ret_answer))
{
	struct json_object *answer = NULL;
	int r = 0;

	(void)fputs(CURSOR_BACK, stdout);
	(void)fflush(stdout);
	if (client_open(&invocation->client, invocation->control_socket) == EXIT_OK &&
	    ask(invocation, &answer) == EXIT_OK) {
		r = draw(answer);
		json_object_put(answer);
	}
	client_close(&invocation->client);
	(void)fflush(stdout);
	return r;
}

static uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until it is time to look again; false: it ends. */
static bool wait_for_next(const struct screen *screen, uint64_t next_ms)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = screen->signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	uint64_t now_ms;
	char key;

	while ((now_ms = clock_ms()) < next_ms) {
		if (poll(fds, 2, (int)(next_ms - now_ms)) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents != 0 &&
		    (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return false;
		if (fds[1].revents != 0 &&
		    read(screen->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			return info.ssi_signo == SIGWINCH;
	}
	return true;
}

int watch(struct invocation *invocation,
	  int (*ask)(struct invocation *invocation, struct json_object **ret_answer))
{
	struct screen screen;
	uint64_t next_ms;
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return usage("--watch is for a terminal; --json is for programs");
	r = screen_open(&screen);
	if (r < 0) {
		(void)fprintf(stderr, "dmclog: the terminal cannot be used: %s\n", strerror(-r));
		return EXIT_ERROR;
	}
	do {
		next_ms = clock_ms() + PERIOD_MS;
		r = look(invocation, ask);
	} while (r == 0 && wait_for_next(&screen, next_ms));
	screen_close(&screen);
	return r == 0 ? EXIT_OK : EXIT_ERROR;
}
