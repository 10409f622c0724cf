/*
 * A resolver that hangs: names that end with ".slow.test" are asked for in vain for some seconds. To be preloaded. The file
 * that SLOW_NAMES names gets a line for each such look-up, with the process that asked.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 3
#define SUFFIX ".slow.test"

typedef int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	size_t		length = node ? strlen(node) : 0;
	size_t		suffix = strlen(SUFFIX);

	if (length > suffix && strcmp(node + length - suffix, SUFFIX) == 0)
	{
		const char *path = getenv("SLOW_NAMES");
		int			file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0644) : -1;
		struct timespec rest = {SECONDS, 0};

		if (file >= 0)
		{
			dprintf(file, "%d %s\n", (int) getpid(), node);
			close(file);
		}
		/* As the real one, it goes on after a signal. */
		while (nanosleep(&rest, &rest) != 0)
			;
		return EAI_AGAIN;
	}
	return ((resolver) dlsym(RTLD_NEXT, "getaddrinfo")) (node, service, hints, found);
}
