/*
 * Says what libpq reads from connection strings. Used by libpq_conninfo.rs.
 *
 * In: strings, each ended by a zero byte. Out, for each: either "E" and the error message, or for each value that is
 * set "K", keyword, "=", value, and at last "O"; each of these ended by a zero byte.
 */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

static void answer(const char *connstr)
{
	char	   *message = NULL;
	PQconninfoOption *options = PQconninfoParse(connstr, &message);

	if (options == NULL)
		printf("E%s%c", message ? message : "", 0);
	else
	{
		for (PQconninfoOption *o = options; o->keyword != NULL; o++)
			if (o->val != NULL)
				printf("K%s=%s%c", o->keyword, o->val, 0);
		printf("O%c", 0);
	}
	PQconninfoFree(options);
	PQfreemem(message);
}

int main(void)
{
	char	   *line = NULL;
	size_t		size = 0;

	while (getdelim(&line, &size, 0, stdin) >= 0)
		answer(line);
	free(line);
	return ferror(stdin) || fflush(stdout) != 0;
}
