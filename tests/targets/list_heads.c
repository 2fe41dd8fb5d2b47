/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists whose heads move all the time, before elements that stay: one in a variable, one in a block. list_heads grow: elements are added at the head.
 * list_heads churn: the newest element comes and goes. Whoever walks the heap first and reads pointers afterwards finds heads that lead to
 * elements which the walk did not meet. Nothing is ever lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ELEMENTS = 60000 };

struct element {
  struct element* next;
  char content[192];
};
struct list {
  int count;
  struct element* head;
};
static struct element* head;
static struct list* list;

static void* opaque(void* pointer) {
  __asm__ volatile("" : "+r"(pointer));
  return pointer;
}

static void add(struct element** to, struct element* element) {
  element->next = *to;
  *to = element;
}

static struct element* fresh(unsigned long size) {
  struct element* made = opaque(malloc(sizeof *made + size));
  memset(made, 1, sizeof *made);
  return made;
}

static void pause_us(long us) {
  struct timespec time = {.tv_nsec = us * 1000};
  nanosleep(&time, NULL);
}

int main(int argc, char** argv) {
  int churn = argc > 1 && !strcmp(argv[1], "churn");
  list = opaque(malloc(sizeof *list));
  list->head = NULL;
  for (int i = 0; i < ELEMENTS; ++i) add(&head, fresh(0)), add(&list->head, fresh(0));
  dprintf(1, "ready\n");
  for (unsigned long state = 1;;) {
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    unsigned long size = state >> 33 & 2047;  /* each at another place */
    struct element *one = fresh(size), *two = fresh(size / 2);
    add(&head, one);
    add(&list->head, two);
    pause_us(100);
    if (!churn) continue;
    head = one->next;
    list->head = two->next;
    free(one);
    free(two);
  }
}
