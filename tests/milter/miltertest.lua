-- SPDX-License-Identifier: GPL-3.0-or-later
-- A session as miltertest plays it; PORT and the rest are set by tests/milter/others.rs.

local function fail(what)
    print(what)
    error(what)
end

local function expect(what, got, want)
    if got ~= want then fail(what .. ": " .. tostring(got) .. ", not " .. tostring(want)) end
end

local conn = mt.connect("inet:" .. PORT .. "@127.0.0.1")
if conn == nil then fail("cannot connect") end
expect("conninfo", mt.conninfo(conn, "client.example", CLIENT), nil)
expect("conninfo reply", mt.getreply(conn), SMFIR_CONTINUE)
expect("helo", mt.helo(conn, "client.example"), nil)
expect("helo reply", mt.getreply(conn), SMFIR_CONTINUE)
for round = 1, 3 do
    mt.macro(conn, SMFIC_MAIL, "i", "Q" .. round)
    expect("mail", mt.mailfrom(conn, "<sender@elsewhere.example>"), nil)
    expect("mail reply", mt.getreply(conn), SMFIR_CONTINUE)
    mt.macro(conn, SMFIC_RCPT, "{rcpt_addr}", "zoe@a.example")
    expect("rcpt", mt.rcptto(conn, "<zoe@a.example>"), nil)
    expect("unknown recipient", mt.getreply(conn), SMFIR_REPLYCODE)
    mt.macro(conn, SMFIC_RCPT, "{rcpt_addr}", "ann@a.example")
    expect("rcpt", mt.rcptto(conn, "<ann@a.example>"), nil)
    expect("rcpt reply", mt.getreply(conn), SMFIR_CONTINUE)
    expect("data", mt.data(conn), nil)
    expect("data reply", mt.getreply(conn), SMFIR_CONTINUE)
    expect("header", mt.header(conn, "X-Postern-Tag", "forged"), nil)
    expect("header reply", mt.getreply(conn), SMFIR_CONTINUE)
    expect("eoh", mt.eoh(conn), nil)
    expect("eoh reply", mt.getreply(conn), SMFIR_CONTINUE)
    expect("eom", mt.eom(conn), nil)
    expect("eom reply", mt.getreply(conn), SMFIR_CONTINUE)
    if not mt.eom_check(conn, MT_HDRADD, "X-Postern-Loop", "mx.example") then fail("no loop token") end
    if not mt.eom_check(conn, MT_HDRDELETE, "X-Postern-Tag") then fail("the forged tag stays") end
end
mt.disconnect(conn)
