/*
 * guestreel's backdoor port for C: 32-bit x86 code, any ring the policy allows. Every function returns a REEL_STATUS_*.
 * Under no guestreel an IN raises #GP in user mode (SIGSEGV on Linux), or reads all ones: reel_present() tells.
 */
#ifndef GUESTREEL_REEL_H
#define GUESTREEL_REEL_H

#include "reel-protocol.h"

typedef unsigned int reel_u32;

struct reel_registers {
    reel_u32 eax, ebx, ecx, edx, esi, edi;
};

/* One call: EBX, ESI, EDI in; all registers out. */
static inline reel_u32 reel_call(reel_u32 command, reel_u32 flags, struct reel_registers *r)
{
    r->eax = REEL_MAGIC;
    r->ecx = command | (flags << 16);
    r->edx = REEL_PORT;
    __asm__ volatile("inl %%dx, %%eax"
                     : "+a"(r->eax), "+b"(r->ebx), "+c"(r->ecx), "+d"(r->edx), "+S"(r->esi), "+D"(r->edi)
                     :
                     : "memory");
    return r->eax;
}

static inline reel_u32 reel_length(const char *text)
{
    reel_u32 n = 0;
    while (text[n])
        n++;
    return n;
}

/* Commands with a text; `value` goes into EBX and comes back from there. */
static inline reel_u32 reel_text(reel_u32 command, const char *text, reel_u32 *value)
{
    struct reel_registers r = {0, *value, 0, 0, (reel_u32)text, reel_length(text)};
    reel_u32 status = reel_call(command, REEL_FLAG_TOUCH, &r);
    *value = r.ebx;
    return status;
}

/* Commands with bytes. */
static inline reel_u32 reel_data(reel_u32 command, const void *bytes, reel_u32 count, reel_u32 handle)
{
    struct reel_registers r = {0, handle, 0, 0, (reel_u32)bytes, count};
    return reel_call(command, REEL_FLAG_TOUCH, &r);
}

/* 1 when guestreel answers with this protocol version. In user mode install a SIGSEGV handler before. */
static inline int reel_present(void)
{
    struct reel_registers r = {0, ~REEL_MAGIC, 0, 0, REEL_VERSION | (REEL_VERSION << 16), 0};
    return reel_call(REEL_HELLO, 0, &r) == REEL_STATUS_OK && r.ebx == REEL_MAGIC;
}

/* Starts a recording; its id goes to *id. */
static inline reel_u32 reel_start(const char *name, reel_u32 *id)
{
    *id = 0;
    return reel_text(REEL_START, name, id);
}

/* Joins a recording that runs; the matching stop leaves it running. */
static inline reel_u32 reel_start_nested(const char *name, reel_u32 *id)
{
    struct reel_registers r = {0, 0, 0, 0, (reel_u32)name, reel_length(name)};
    reel_u32 status = reel_call(REEL_START, REEL_FLAG_TOUCH | REEL_FLAG_NEST, &r);
    *id = status == REEL_STATUS_OK ? r.ebx : 0;
    return status;
}

/* id 0 is the recording that runs. */
static inline reel_u32 reel_stop(reel_u32 id)
{
    struct reel_registers r = {0, id, 0, 0, 0, 0};
    return reel_call(REEL_STOP, 0, &r);
}

static inline reel_u32 reel_mark(const char *label, reel_u32 value)
{
    return reel_text(REEL_MARK, label, &value);
}

static inline reel_u32 reel_begin(const char *phase)
{
    reel_u32 id = 0;
    return reel_text(REEL_BEGIN, phase, &id);
}

static inline reel_u32 reel_end(const char *phase)
{
    reel_u32 id = 0;
    return reel_text(REEL_END, phase, &id);
}

/* verdict: 0 pass, 1 fail, 2 skip. */
static inline reel_u32 reel_verdict(reel_u32 verdict, const char *test)
{
    return reel_text(REEL_VERDICT, test, &verdict);
}

static inline reel_u32 reel_log(const char *text)
{
    reel_u32 none = 0;
    return reel_text(REEL_LOG, text, &none);
}

/* The bytes must be the same in every replay. */
static inline reel_u32 reel_check(const void *bytes, reel_u32 count)
{
    return reel_data(REEL_CHECK, bytes, count, 0);
}

static inline reel_u32 reel_put(reel_u32 handle, const void *bytes, reel_u32 count)
{
    return reel_data(REEL_PUT, bytes, count, handle);
}

/* Bytes from the host; their number goes to *count, which is the room before. */
static inline reel_u32 reel_get(reel_u32 handle, void *buffer, reel_u32 *count)
{
    struct reel_registers r = {0, handle, 0, 0, (reel_u32)buffer, *count};
    reel_u32 status = reel_call(REEL_GET, REEL_FLAG_TOUCH, &r);
    *count = status == REEL_STATUS_OK ? r.ecx : 0;
    return status;
}

/* What this caller may do goes to *may: REEL_MAY_* bits. */
static inline reel_u32 reel_auth(const void *token, reel_u32 count, reel_u32 *may)
{
    struct reel_registers r = {0, 0, 0, 0, (reel_u32)token, count};
    reel_u32 status = reel_call(REEL_AUTH, REEL_FLAG_TOUCH, &r);
    *may = status == REEL_STATUS_OK ? r.ecx : 0;
    return status;
}

struct reel_state {
    reel_u32 state;     /* REEL_STATE_* bits */
    reel_u32 may;       /* REEL_MAY_* bits */
    reel_u32 quota_mib; /* all ones: no limit */
    reel_u32 epoch;     /* how often the machine has gone live */
};

/* Fills *s if the status is OK. */
static inline reel_u32 reel_status(struct reel_state *s)
{
    struct reel_registers r = {0, 0, 0, 0, 0, 0};
    reel_u32 status = reel_call(REEL_STATUS, 0, &r);
    if (status == REEL_STATUS_OK) {
        s->state = r.ebx;
        s->may = r.ecx;
        s->quota_mib = r.edx;
        s->epoch = r.edi;
    }
    return status;
}

static inline reel_u32 reel_checkpoint(void)
{
    struct reel_registers r = {0, 0, 0, 0, 0, 0};
    return reel_call(REEL_CHECKPOINT, 0, &r);
}

/* Ends the machine, if the policy allows it. */
static inline reel_u32 reel_exit(reel_u32 code)
{
    struct reel_registers r = {0, code, 0, 0, 0, 0};
    return reel_call(REEL_EXIT, 0, &r);
}

#endif
