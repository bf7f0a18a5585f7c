// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: what DNSBLs (RFC 5782) and reverse names tell of clients that are no gateway.
