/* qsort: sorts random numbers again and again with a quicksort of its own. Prints "PART qsort seconds result". */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { COUNT = 200000, REPETITIONS = 14, SHORT = 16 };

static uint32_t numbers[COUNT];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void insertion_sort(uint32_t *first, uint32_t *last) {
  for (uint32_t *p = first + 1; p <= last; p++) {
    uint32_t value = *p, *hole = p;
    for (; hole > first && hole[-1] > value; hole--) *hole = hole[-1];
    *hole = value;
  }
}

/* Hoare's partition around the middle one; recursion on the left, iteration on the right. */
static __attribute__((noinline)) void quicksort(uint32_t *first, uint32_t *last) {
  while (last - first > SHORT) {
    uint32_t pivot = first[(last - first) / 2], *low = first, *high = last;
    while (low <= high) {
      while (*low < pivot) low++;
      while (*high > pivot) high--;
      if (low > high) break;
      uint32_t kept = *low;
      *low++ = *high;
      *high-- = kept;
    }
    quicksort(first, high);
    first = low;
  }
  if (first < last) insertion_sort(first, last);
}

int main(void) {
  uint32_t random = 2463534242u, sum = 0;
  double begun = now();
  for (int i = 0; i < REPETITIONS; i++) {
    for (int k = 0; k < COUNT; k++) {
      random ^= random << 13;
      random ^= random >> 17;
      random ^= random << 5;
      numbers[k] = random;
    }
    quicksort(numbers, numbers + COUNT - 1);
    for (int k = 1; k < COUNT; k++)
      if (numbers[k - 1] > numbers[k]) return 1;
    sum += numbers[COUNT / 3];
  }
  printf("PART qsort %.4f %.6g\n", now() - begun, (double)sum);
  return 0;
}
