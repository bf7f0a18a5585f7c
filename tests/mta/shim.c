/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loaded into the tests' private Sendmail with LD_PRELOAD.
 *
 * Sendmail waits a minute at start when the host's name has no dot, so it gets a name with dots. It logs
 * through syslog(3) alone, and a test machine may have no syslog daemon, so its log lines are appended to
 * the file that SYSLOG_FILE names, one write a line. It looks its clients up whatever its service switch
 * says, and a DNS server that does not answer takes seconds, so no address has a name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static char file[1024];

__attribute__((constructor)) static void remember_file(void)
{
    /* Sendmail clears its environment later on. */
    const char *name = getenv("SYSLOG_FILE");
    snprintf(file, sizeof file, "%s", name ? name : "/dev/null");
}

int gethostname(char *name, size_t size)
{
    snprintf(name, size, "sm.test.example");
    return 0;
}

struct hostent *gethostbyaddr(const void *address, socklen_t size, int family)
{
    (void)address, (void)size, (void)family;
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

static void append(const char *format, va_list arguments)
{
    char line[4096];
    int start = snprintf(line, sizeof line, "[%d] ", (int)getpid());
    int end = start + vsnprintf(line + start, sizeof line - start - 1, format, arguments);
    if (end > (int)sizeof line - 2)
        end = sizeof line - 2;
    line[end++] = '\n';
    int log = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0)
        return;
    if (write(log, line, end) < 0)
        line[0] = 0;
    close(log);
}

#define APPEND_VARIADIC                \
    va_list arguments;                 \
    va_start(arguments, format);       \
    append(format, arguments);         \
    va_end(arguments)

void openlog(const char *ident, int option, int facility) { (void)ident, (void)option, (void)facility; }
void closelog(void) {}
void syslog(int priority, const char *format, ...) { (void)priority; APPEND_VARIADIC; }
void vsyslog(int priority, const char *format, va_list arguments) { (void)priority; append(format, arguments); }
void __syslog_chk(int priority, int flag, const char *format, ...) { (void)priority, (void)flag; APPEND_VARIADIC; }
void __vsyslog_chk(int priority, int flag, const char *format, va_list arguments) { (void)priority, (void)flag; append(format, arguments); }
