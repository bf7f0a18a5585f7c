// SPDX-License-Identifier: GPL-3.0-or-later
// Postern's job as an ordinary milter author would do it in C on libmilter: the peer of the load program.
//
// At connect it looks for the client in the networks, at each recipient it refuses a stranger (550 5.7.1) and
// an address that is not in the hash (550 5.1.1), at each header it counts loop tokens and Received lines, at
// the end of the message it refuses a loop (554 5.4.6) or adds one X-Postern-Loop line. Callbacks and
// negotiation are libmilter's defaults. The address is the argument of RCPT as it comes, brackets removed,
// folded to lower case: none of Postern's care for odd spellings is here.
//
//     equal_job CONNECTION NETWORKS RECIPIENTS LOOP-ID        one CIDR, one address a line
//
// Build: cc -O2 -o equal_job equal_job.c -lmilter -lpthread (Debian: libmilter-dev)
// Limits: networks must not overlap, 1 GiB of addresses, MAX_ADDRESS bytes each.

#include <arpa/inet.h>
#include <ctype.h>
#include <libmilter/mfapi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

enum { MAX_ADDRESS = 320, MAX_PASSES = 3, MAX_RECEIVED = 50 };

struct range {
    unsigned char first[16], last[16]; // IPv4 as ::ffff:a.b.c.d
};

struct session {
    int gateway;
    int passes, received;
};

static struct range *ranges;
static size_t range_count;

static char *text;        // all addresses, each ended by NUL
static uint32_t *table;   // offsets into text plus one; open addressing
static size_t table_mask;

static const char *loop_id;

static void fail(const char *what)
{
    perror(what);
    exit(EX_NOINPUT);
}

static void map4(const struct in_addr *address, unsigned char out[16])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, address, 4);
}

static void map6(const struct in6_addr *address, unsigned char out[16])
{
    memcpy(out, address, 16);
}

static int by_first(const void *a, const void *b)
{
    return memcmp(((const struct range *)a)->first, ((const struct range *)b)->first, 16);
}

static void load_networks(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[128];
    size_t room = 0;

    if (file == NULL)
        fail(path);
    while (fgets(line, sizeof line, file) != NULL) {
        char *slash = strchr(line, '/');
        struct in_addr v4;
        struct in6_addr v6;
        struct range range;
        int length;

        if (slash == NULL)
            continue;
        *slash = '\0';
        length = atoi(slash + 1);
        if (inet_pton(AF_INET, line, &v4) == 1) {
            map4(&v4, range.first);
            length += 96;
        } else if (inet_pton(AF_INET6, line, &v6) == 1) {
            map6(&v6, range.first);
        } else {
            continue;
        }
        memcpy(range.last, range.first, 16);
        for (int bit = length; bit < 128; bit++) {
            range.first[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
            range.last[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
        }
        if (range_count == room) {
            room = room ? room * 2 : 1024;
            ranges = realloc(ranges, room * sizeof *ranges);
            if (ranges == NULL)
                fail("networks");
        }
        ranges[range_count++] = range;
    }
    fclose(file);
    qsort(ranges, range_count, sizeof *ranges, by_first);
}

static int is_gateway(const unsigned char address[16])
{
    size_t low = 0, high = range_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(ranges[middle].first, address, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && memcmp(address, ranges[low - 1].last, 16) <= 0;
}

static uint64_t hash(const char *key)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (; *key != '\0'; key++)
        value = (value ^ (unsigned char)*key) * 0x100000001b3u;
    return value ^ value >> 32;
}

static void load_recipients(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t size, count = 0, slots = 1024, offset = 0;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail(path);
    size = (size_t)ftell(file);
    rewind(file);
    text = malloc(size + 1);
    if (text == NULL || fread(text, 1, size, file) != size)
        fail(path);
    fclose(file);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            text[i] = '\0';
            count++;
        } else {
            text[i] = (char)tolower((unsigned char)text[i]);
        }
    }
    while (slots < count * 2)
        slots *= 2;
    table_mask = slots - 1;
    table = calloc(slots, sizeof *table);
    if (table == NULL)
        fail("recipients");
    while (offset < size) {
        if (text[offset] != '\0') {
            size_t slot = hash(text + offset) & table_mask;
            while (table[slot] != 0)
                slot = (slot + 1) & table_mask;
            table[slot] = (uint32_t)offset + 1;
        }
        offset += strlen(text + offset) + 1;
    }
}

static int is_known(const char *address)
{
    size_t slot = hash(address) & table_mask;

    for (; table[slot] != 0; slot = (slot + 1) & table_mask) {
        if (strcmp(text + table[slot] - 1, address) == 0)
            return 1;
    }
    return 0;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    struct session *session = calloc(1, sizeof *session);
    unsigned char key[16];

    (void)host;
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    if (address != NULL && address->sa_family == AF_INET) {
        map4(&((struct sockaddr_in *)address)->sin_addr, key);
        session->gateway = is_gateway(key);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        map6(&((struct sockaddr_in6 *)address)->sin6_addr, key);
        session->gateway = is_gateway(key);
    }
    smfi_setpriv(ctx, session);
    return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void)ctx, (void)name;
    return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
    struct session *session = smfi_getpriv(ctx);

    (void)arguments;
    session->passes = session->received = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **arguments)
{
    struct session *session = smfi_getpriv(ctx);
    char address[MAX_ADDRESS];
    const char *from = arguments[0];
    size_t length = 0;

    if (!session->gateway) {
        smfi_setreply(ctx, "550", "5.7.1", "Send mail for this domain through its gateway");
        return SMFIS_REJECT;
    }
    if (*from == '<')
        from++;
    while (*from != '\0' && *from != '>' && length < sizeof address - 1)
        address[length++] = (char)tolower((unsigned char)*from++);
    address[length] = '\0';
    if (!is_known(address)) {
        smfi_setreply(ctx, "550", "5.1.1", "No such recipient");
        return SMFIS_REJECT;
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *session = smfi_getpriv(ctx);

    if (strcasecmp(name, "X-Postern-Loop") == 0) {
        size_t length = strlen(loop_id);
        value += strspn(value, " \t");
        if (strncasecmp(value, loop_id, length) == 0 && strchr(" \t;", value[length]) != NULL)
            session->passes++;
    } else if (strcasecmp(name, "Received") == 0) {
        session->received++;
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_event(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
    (void)ctx, (void)bytes, (void)length;
    return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);

    if (session->passes >= MAX_PASSES || session->received > MAX_RECEIVED) {
        smfi_setreply(ctx, "554", "5.4.6", "Mail loop");
        return SMFIS_REJECT;
    }
    smfi_addheader(ctx, "X-Postern-Loop", (char *)loop_id);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
    (void)ctx, (void)command;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    struct smfiDesc milter = {
        .xxfi_name = "equal_job",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_data = on_event,
        .xxfi_header = on_header,
        .xxfi_eoh = on_event,
        .xxfi_body = on_body,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_event,
        .xxfi_close = on_close,
        .xxfi_unknown = on_unknown,
    };
    if (argc != 5) {
        fprintf(stderr, "usage: equal_job CONNECTION NETWORKS RECIPIENTS LOOP-ID\n");
        return EX_USAGE;
    }
    load_networks(argv[2]);
    load_recipients(argv[3]);
    loop_id = argv[4];
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(milter) != MI_SUCCESS)
        return EX_UNAVAILABLE;
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
}
