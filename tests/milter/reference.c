// SPDX-License-Identifier: GPL-3.0-or-later
// A milter on libmilter that says "continue" to everything: what Postern's answers are held against.
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>

static sfsistat on_connect(SMFICTX *c, char *host, _SOCK_ADDR *a) { (void)c; (void)host; (void)a; return SMFIS_CONTINUE; }
static sfsistat on_string(SMFICTX *c, char *s) { (void)c; (void)s; return SMFIS_CONTINUE; }
static sfsistat on_unknown(SMFICTX *c, const char *s) { (void)c; (void)s; return SMFIS_CONTINUE; }
static sfsistat on_envelope(SMFICTX *c, char **a) { (void)c; (void)a; return SMFIS_CONTINUE; }
static sfsistat on_header(SMFICTX *c, char *n, char *v) { (void)c; (void)n; (void)v; return SMFIS_CONTINUE; }
static sfsistat on_plain(SMFICTX *c) { (void)c; return SMFIS_CONTINUE; }
static sfsistat on_body(SMFICTX *c, unsigned char *b, size_t n) { (void)c; (void)b; (void)n; return SMFIS_CONTINUE; }

int main(int argc, char **argv) {
    struct smfiDesc d;
    memset(&d, 0, sizeof d);
    d.xxfi_name = "reference";
    d.xxfi_version = SMFI_VERSION;
    d.xxfi_connect = on_connect;
    d.xxfi_helo = on_string;
    d.xxfi_envfrom = on_envelope;
    d.xxfi_envrcpt = on_envelope;
    d.xxfi_data = on_plain;
    d.xxfi_header = on_header;
    d.xxfi_eoh = on_plain;
    d.xxfi_body = on_body;
    d.xxfi_eom = on_plain;
    d.xxfi_abort = on_plain;
    d.xxfi_close = on_plain;
    d.xxfi_unknown = on_unknown;
    if (argc != 2 || smfi_register(d) == MI_FAILURE || smfi_setconn(argv[1]) == MI_FAILURE || smfi_opensocket(1) == MI_FAILURE)
        return 2;
    puts("ready");
    fflush(stdout);
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
