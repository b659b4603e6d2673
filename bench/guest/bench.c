/*
 * bench PART [scale]: the arithmetic of the benchmark, on the host and in the guest.
 *   int              sieve, crc, mat and hash; each of them is a PART of its own, too
 *   fp               sse and x87, the same loop in SSE2 and in x87 instructions; likewise
 *   gen [megabytes]  writes that much text to standard output
 * Prints "PART name seconds result" for each. Every function's place in memory depends on all of this file: in the plain
 * build the loop of `sieve` crosses the end of a page (build-guest.sh checks it), which is what some emulators trip over.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t T[256];

static __attribute__((noinline)) uint32_t sieve(int rep) {
  enum { N = 200000 };
  static uint8_t s[N];
  uint32_t c = 0;
  while (rep--) {
    memset(s, 1, N);
    c = 0;
    for (uint32_t i = 2; i < N; i++)
      if (s[i]) {
        c++;
        for (uint32_t j = 2 * i; j < N; j += i) s[j] = 0;
      }
  }
  return c;
}

static __attribute__((noinline)) uint32_t crc(int rep) {
  static uint8_t b[65536];
  for (int i = 0; i < 65536; i++) b[i] = i * 31 + 7;
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    T[i] = c;
  }
  uint32_t c = ~0u;
  while (rep--)
    for (int i = 0; i < 65536; i++) c = T[(c ^ b[i]) & 255] ^ (c >> 8);
  return ~c;
}

static __attribute__((noinline)) uint32_t mat(int rep) {
  enum { N = 96 };
  static int A[N][N], B[N][N], C[N][N];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      A[i][j] = i * j + 1;
      B[i][j] = i - j;
    }
  uint32_t s = 0;
  while (rep--) {
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        int t = 0;
        for (int k = 0; k < N; k++) t += A[i][k] * B[k][j];
        C[i][j] = t;
      }
    s += C[rep % N][5];
    A[rep % N][3] ^= s;
  }
  return s;
}

static __attribute__((noinline)) uint32_t hash(int rep) {
  enum { N = 4096 };
  static uint32_t key[N], val[N];
  uint32_t x = 2463534242u, s = 0;
  memset(key, 0, sizeof key);
  while (rep--)
    for (int i = 0; i < 2048; i++) {
      x ^= x << 13;
      x ^= x >> 17;
      x ^= x << 5;
      uint32_t k = (x & 2047) | 1, h = (k * 2654435761u) >> 20;
      while (key[h] && key[h] != k) h = (h + 1) & (N - 1);
      key[h] = k;
      val[h] += i;
      s += val[h];
    }
  return s;
}

static __attribute__((noinline)) double fp_sse(int rep) {
  volatile double seed = 1.0;
  double x = seed, y = 0, z = 0;
  while (rep--)
    for (int i = 1; i <= 1000; i++) {
      x = x * 1.0000001 + 0.5 / i;
      y += x * x - z * 0.25;
      z = y / (x + 1.0);
      if (y > 1e12) y *= 1e-12;
    }
  return x + y + z;
}

static __attribute__((target("fpmath=387"), noinline)) double fp_x87(int rep) {
  volatile double seed = 1.0;
  double x = seed, y = 0, z = 0;
  while (rep--)
    for (int i = 1; i <= 1000; i++) {
      x = x * 1.0000001 + 0.5 / i;
      y += x * x - z * 0.25;
      z = y / (x + 1.0);
      if (y > 1e12) y *= 1e-12;
    }
  return x + y + z;
}

static void rep(const char *n, double t, double v) {
  printf("PART %s %.4f %.6g\n", n, t, v);
  fflush(stdout);
}

int main(int c, char **v) {
  const char *m = c > 1 ? v[1] : "int";
  int sc = c > 2 ? atoi(v[2]) : 1;
  double t;
  if (!strcmp(m, "int") || !strcmp(m, "sieve")) {
    t = now();
    uint32_t r = sieve(150 * sc);
    rep("sieve", now() - t, r);
  }
  if (!strcmp(m, "int") || !strcmp(m, "crc")) {
    t = now();
    uint32_t r = crc(900 * sc);
    rep("crc", now() - t, r);
  }
  if (!strcmp(m, "int") || !strcmp(m, "mat")) {
    t = now();
    uint32_t r = mat(75 * sc);
    rep("mat", now() - t, r);
  }
  if (!strcmp(m, "int") || !strcmp(m, "hash")) {
    t = now();
    uint32_t r = hash(6000 * sc);
    rep("hash", now() - t, r);
  }
  if (!strcmp(m, "fp") || !strcmp(m, "sse")) {
    t = now();
    double r = fp_sse(8000 * sc);
    rep("sse", now() - t, r);
  }
  if (!strcmp(m, "fp") || !strcmp(m, "x87")) {
    t = now();
    double r = fp_x87(8000 * sc);
    rep("x87", now() - t, r);
  }
  if (!strcmp(m, "gen")) {
    static char b[65536];
    uint32_t x = 12345;
    long left = (long)sc << 20;
    static const char *w[] = {"the ", "quick ", "brown ", "fox ", "jumps ", "over ", "lazy ", "dog\n",
                              "deterministic ", "replay ", "%08x "};
    while (left > 0) {
      int n = 0;
      while (n < 65000) {
        x = x * 1103515245 + 12345;
        int k = (x >> 16) % 11;
        n += sprintf(b + n, k == 10 ? w[10] : w[k], x);
      }
      if (n > left) n = left;
      int o = 0;
      while (o < n) {
        int q = write(1, b + o, n - o);
        if (q <= 0) return 1;
        o += q;
      }
      left -= n;
    }
  }
  return 0;
}
