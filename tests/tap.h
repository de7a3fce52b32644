// What a test needs and no more: checks that print TAP, the plan at the end, an exit status.
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

static inline bool tap_line(bool fine, const char *format, va_list args)
{
    printf("%sok %d - ", fine ? "" : "not ", ++tap_count);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);  // or a fork would print it again, and a crash would lose it
    tap_failed += !fine;
    return fine;
}

#define TAP_PRINTF(n) __attribute__((format(printf, n, n + 1)))

TAP_PRINTF(1) static inline void diag(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

TAP_PRINTF(2) static inline bool ok(bool fine, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tap_line(fine, format, args);
    va_end(args);
    return fine;
}

TAP_PRINTF(3) static inline bool is_str(const char *got, const char *want, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool fine = tap_line(got && !strcmp(got, want), format, args);
    va_end(args);
    if (!fine) diag("got \"%s\", wanted \"%s\"", got ? got : "(null)", want);
    return fine;
}

TAP_PRINTF(3) static inline bool is_u64(uint64_t got, uint64_t want, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool fine = tap_line(got == want, format, args);
    va_end(args);
    if (!fine) diag("got %llu, wanted %llu", (unsigned long long)got, (unsigned long long)want);
    return fine;
}

// A tolerance is absolute; NAN is near nothing.
TAP_PRINTF(4)
static inline bool near(double got, double want, double tolerance, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool fine = tap_line(got >= want - tolerance && got <= want + tolerance, format, args);
    va_end(args);
    if (!fine) diag("got %g, wanted %g +- %g", got, want, tolerance);
    return fine;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
