/* Preloaded into a process: its wall clock steps by two hours, back and forth, every 50 ms; its steady clocks stay right.
 *
 * Clocks are read in the kernel's shared page of code, past every function that could be replaced by name, so the entry
 * points of that page are overwritten in this process's own copy. STEPPING_CLOCK names a file of two 64-bit counters:
 * readings of the wall clock, readings of all others. x86-64 only. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t *counters;

static long ask_kernel(clockid_t clock, struct timespec *time) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_clock_gettime), "D"(clock), "S"(time) : "rcx", "r11", "memory");
    return result;
}

static int read_clock(clockid_t clock, struct timespec *time) {
    struct timespec now;
    long result = ask_kernel(clock, time);
    int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    __atomic_fetch_add(&counters[wall ? 0 : 1], 1, __ATOMIC_RELAXED);
    if (wall && time != NULL) {
        ask_kernel(CLOCK_MONOTONIC, &now);
        time->tv_sec += (now.tv_nsec / 50000000) % 2 ? 3600 : -3600;
    }
    return (int)result;
}

static int read_time_of_day(struct timeval *value, struct timezone *zone) {
    struct timespec time;
    read_clock(CLOCK_REALTIME, &time);
    if (value != NULL) *value = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
    if (zone != NULL) memset(zone, 0, sizeof *zone);
    return 0;
}

static time_t read_seconds(time_t *value) {
    struct timespec time;
    read_clock(CLOCK_REALTIME, &time);
    if (value != NULL) *value = time.tv_sec;
    return time.tv_sec;
}

static void overwrite(int memory, uintptr_t entry, const void *with) {
    unsigned char jump[14] = {0xff, 0x25}; /* jmp *0(%rip), then the address */
    memcpy(jump + 6, &with, sizeof with);
    if (pwrite(memory, jump, sizeof jump, (off_t)entry) != sizeof jump) abort();
}

__attribute__((constructor)) static void step(void) {
    int file = open(getenv("STEPPING_CLOCK"), O_RDWR | O_CLOEXEC);
    counters = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (counters == MAP_FAILED || base == 0 || memory < 0) abort();
    const Elf64_Phdr *header = (const void *)(base + ((const Elf64_Ehdr *)base)->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    for (int i = 0; i < ((const Elf64_Ehdr *)base)->e_phnum; i++)
        if (header[i].p_type == PT_DYNAMIC) dynamic = (const void *)(base + header[i].p_offset);
    const Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (const void *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) names = (const char *)(base + dynamic->d_un.d_ptr);
    }
    int found = 0;
    /* In this page the names directly follow the symbols. */
    for (const Elf64_Sym *symbol = symbols; (const char *)symbol < names; symbol++) {
        const char *name = names + symbol->st_name;
        const void *with = strcmp(name, "__vdso_clock_gettime") == 0  ? (const void *)read_clock
                           : strcmp(name, "__vdso_gettimeofday") == 0 ? (const void *)read_time_of_day
                           : strcmp(name, "__vdso_time") == 0         ? (const void *)read_seconds
                                                                      : NULL;
        if (with == NULL) continue;
        overwrite(memory, base + symbol->st_value, with);
        found++;
    }
    if (found != 3) abort();
    close(memory);
    close(file);
}
