/*
 * Takes one sample: registers, user stack, kernel stack and CPython frames of the interrupted thread.
 *
 * The program is the overflow handler of a clock event on each CPU. It runs inside the timer interrupt, so the thread
 * cannot move while its stacks are copied: both describe the same instruction. It returns 0, so the kernel writes no
 * sample of its own.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "record.h"

/* Only the kernel fields used below; their offsets are relocated when the program is loaded. */
struct mm_struct {
    unsigned long start_stack;
} __attribute__((preserve_access_index));

struct thread_struct {
    unsigned long fsbase;
} __attribute__((preserve_access_index));

struct upid {
    int nr;
} __attribute__((preserve_access_index));

struct pid {
    unsigned int level;
    struct upid numbers[];
} __attribute__((preserve_access_index));

struct task_struct {
    struct mm_struct *mm;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct thread_struct thread;
    struct pid *thread_pid;
    int pid;
    int tgid;
    int on_cpu;
    unsigned int flags;
    unsigned long nvcsw;
    unsigned long nivcsw;
    unsigned long long start_time;
    char comm[COMM_BYTES];
} __attribute__((preserve_access_index));

/* Set by the recorder before loading. */
const volatile __u64 pid_namespace_device = 0; /* 0: the recorder lives in the initial pid namespace */
const volatile __u64 pid_namespace_inode = 0;
const volatile __u32 deepest_stack = 256 * 1024;
const volatile __u32 unknown_stack = 16 * 1024; /* copied where the end of the stack can't be told */

/* x86-64 glibc: thread control block, dynamic thread vector and first block of thread-specific slots. */
#define TCB_DTV 8
#define DTV_ENTRY_BYTES 16
#define DTV_UNALLOCATED (~0ULL)
#define TCB_SLOTS 0x310
#define SLOT_BYTES 16
#define SLOT_VALUE 8

#define FRAME_HEAD 96   /* bytes of an interpreter frame read at once; covers every field used */
#define FIELD_MASK 0x7f /* keeps a field's offset inside `struct scratch` for the verifier */
#define CHUNK 4096
#define CODE_MASK 0x00ffffffffffffffULL
#define TAGS 7ULL /* of a code pointer in CPython 3.14 and later; zero before */
#define ANCESTORS 5
#define PLAUSIBLE_STACK (64ULL << 20)
#define RING_BYTES (32 << 20)
#define MUCH_WAITING (RING_BYTES / 4)
#define STRETCH_BITS 20
#define MIXER 0x9e3779b97f4a7c15ULL /* 2^64 divided by the golden ratio: spreads pointers over all bits */
#define USER_REGISTERS_CS 136 /* offset of `cs`, which must be read as a whole word */

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RING_BYTES);
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, struct layout);
} layouts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

/* What the recorder has been woken for: sets of code objects, and stretches of native code, by process. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, __u32);
} known SEC(".maps");

struct scratch {
    __u64 codes; /* of the sample, whatever their order; for the recorder to know whether it has seen them */
    __u64 described[CODE_WORDS];
    struct sample_record sample;
    struct kernel_record kernel;
    __u8 frame[2 * (FIELD_MASK + 1)];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2); /* the second for threads looked at from outside, which can be interrupted */
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline __u64 count(__u32 which)
{
    __u64 *value = bpf_map_lookup_elem(&counters, &which);

    return value ? (*value)++ : 0;
}

/* Read memory of the current thread where `other` is null, as it is known to be when the program is compiled. */
static __always_inline long read_user(struct task_struct *other, void *into, __u32 bytes, __u64 address)
{
    if (other)
        return bpf_copy_from_user_task(into, bytes, (const void *)address, other, 0);
    return bpf_probe_read_user(into, bytes, (const void *)address);
}

static __always_inline long read_word(struct task_struct *other, __u64 address, __u64 *value)
{
    return read_user(other, value, sizeof(*value), address);
}

/* The layout of the current address space. A fork keeps the address, exec draws a new one. */
static __always_inline const struct layout *find_layout(__u64 space)
{
    return bpf_map_lookup_elem(&layouts, &space);
}

static __always_inline int descends_from_target(struct task_struct *task)
{
    for (int i = 0; i < ANCESTORS; i++) {
        struct mm_struct *mm;

        task = task->real_parent;
        if (!task)
            return 0;
        mm = task->mm;
        if (!mm)
            return 0;
        if (find_layout(mm->start_stack))
            return 1;
    }
    return 0;
}

/*
 * The thread state of the current thread. The interpreter's variable is empty whenever the thread has released the
 * GIL, which is when native code runs alone; the slot written by the GIL-state functions still points to the state.
 */
static __always_inline __u32 find_thread_state(const struct layout *layout, __u64 fs_base, __u64 *state,
                                               struct task_struct *other)
{
    __u64 vector, block;

    *state = 0;
    if (layout->tls_rule == TLS_DYNAMIC) {
        if (read_word(other, fs_base + TCB_DTV, &vector))
            return WALK_FAULT;
        if (read_word(other, vector + DTV_ENTRY_BYTES * layout->tls_module, &block))
            return WALK_FAULT;
        if (block == DTV_UNALLOCATED || !block)
            return WALK_NO_STATE; /* this thread never entered the interpreter */
        if (read_word(other, block + layout->tls_offset, state))
            return WALK_FAULT;
    } else if (layout->tls_rule == TLS_STATIC) {
        if (read_word(other, fs_base + layout->tls_offset, state))
            return WALK_FAULT;
    }
    if (*state)
        return WALK_ATTACHED;
    if (read_word(other, fs_base + TCB_SLOTS + SLOT_BYTES * layout->key + SLOT_VALUE, state))
        return WALK_FAULT;
    if (!*state)
        return WALK_NO_STATE;
    if (layout->holder && !read_word(other, layout->holder, &vector) && vector == *state)
        return WALK_ATTACHED;
    return WALK_DETACHED;
}

static __always_inline int find_first_frame(const struct layout *layout, __u64 state, __u64 ip, __u64 *frame,
                                             struct task_struct *other)
{
    __u64 holder = state;

    if (layout->cframe) {
        if (read_word(other, state + layout->cframe, &holder))
            return -1;
        if (ip >= layout->eval_start && ip < layout->eval_linked && read_word(other, holder + layout->cframe_previous, &holder))
            return -1;
    }
    return read_word(other, holder + layout->current_frame, frame);
}

static __always_inline __u64 mix(__u64 value)
{
    value *= MIXER;
    return value ^ value >> 29;
}

/* A number for the code object in this place, another one when its place is used again. `src/code.rs` mirrors it. */
static __always_inline __u64 identify_code(struct scratch *scratch, const struct layout *layout, __u64 code,
                                           struct task_struct *other)
{
    __u64 number = code;

    if (read_user(other, scratch->described, sizeof(scratch->described), code + layout->described))
        return 0;
    for (int i = 0; i < CODE_WORDS; i++)
        number = (number ^ scratch->described[i]) * MIXER;
    return number;
}

static __always_inline __u32 walk_frames(struct scratch *scratch, const struct layout *layout, __u64 frame,
                                         struct task_struct *other)
{
    __u32 code = layout->code & FIELD_MASK, instruction = layout->instruction & FIELD_MASK;
    __u32 owner = layout->owner & FIELD_MASK, previous = layout->previous & FIELD_MASK;

    for (int i = 0; i < MAX_FRAMES; i++) {
        struct frame_record *out = &scratch->sample.frames[i];
        __u64 address, number;

        if (!frame)
            return 0;
        if (read_user(other, scratch->frame, FRAME_HEAD, frame))
            return WALK_FAULT;
        out->code_and_owner = (*(__u64 *)(scratch->frame + code) & CODE_MASK) | (__u64)scratch->frame[owner] << 56;
        address = out->code_and_owner & CODE_MASK & ~TAGS;
        number = identify_code(scratch, layout, address, other);
        out->offset = *(__u64 *)(scratch->frame + instruction) - address;
        out->identity = number >> 32;
        scratch->codes ^= mix(number);
        scratch->sample.frame_count = i + 1;
        frame = *(__u64 *)(scratch->frame + previous);
    }
    return frame ? WALK_TOO_DEEP : 0;
}

static __always_inline void walk_python(struct scratch *scratch, const struct layout *layout, __u64 fs_base,
                                        struct task_struct *other)
{
    struct sample_record *sample = &scratch->sample;
    __u64 state = 0, frame = 0;
    __u32 trouble;

    if (!layout->python) {
        sample->status = WALK_NO_PYTHON;
        return;
    }
    sample->status = find_thread_state(layout, fs_base, &state, other);
    if (sample->status != WALK_ATTACHED && sample->status != WALK_DETACHED)
        return;
    if (read_word(other, state + layout->state_interpreter, &sample->interpreter) ||
        find_first_frame(layout, state, sample->registers[IP], &frame, other)) {
        sample->status = WALK_FAULT;
        return;
    }
    trouble = walk_frames(scratch, layout, frame, other);
    if (trouble)
        sample->status = trouble;
}

/*
 * Room in the ring must have a constant size, so there are classes of it; only what is valid is written. A class is
 * entered through this macro because the verifier wants each size as a constant.
 */
#define COPY_STACK(class_bytes)                                                                            \
    {                                                                                                      \
        struct {                                                                                           \
            struct stack_record record;                                                                    \
            __u8 bytes[class_bytes];                                                                       \
        } *room = bpf_ringbuf_reserve(&records, sizeof(*room), 0);                                         \
        if (!room) {                                                                                       \
            count(COUNT_LOST_STACK);                                                                       \
            return;                                                                                        \
        }                                                                                                  \
        room->record.head.kind = RECORD_STACK;                                                             \
        room->record.head.cpu = sample->head.cpu;                                                          \
        room->record.head.sequence = sample->head.sequence;                                                \
        room->record.bytes = 0;                                                                            \
        for (__u32 done = 0; done < class_bytes; done += CHUNK) {                                          \
            __u64 part = wanted - done;                                                                    \
            if (done >= wanted)                                                                            \
                break;                                                                                     \
            if (part > CHUNK)                                                                              \
                part = CHUNK;                                                                              \
            if (read_user(other, room->bytes + done, part, sample->registers[SP] + done))                      \
                break;                                                                                     \
            room->record.bytes = done + part;                                                              \
        }                                                                                                  \
        bpf_ringbuf_submit(room, BPF_RB_NO_WAKEUP);                                                        \
        return;                                                                                            \
    }

static __always_inline void copy_user_stack(const struct sample_record *sample, struct task_struct *other)
{
    __u64 wanted = sample->stack_size ? sample->stack_size : unknown_stack;

    if (wanted > deepest_stack)
        wanted = deepest_stack;
    if (wanted <= 4096)
        COPY_STACK(4096);
    if (wanted <= 8192)
        COPY_STACK(8192);
    if (wanted <= 16384)
        COPY_STACK(16384);
    if (wanted <= 32768)
        COPY_STACK(32768);
    if (wanted <= 65536)
        COPY_STACK(65536);
    if (wanted <= 131072)
        COPY_STACK(131072);
    COPY_STACK(262144);
}

/*
 * Bytes between the stack pointer and the end of the thread's stack: a thread's control block lies behind its stack,
 * the main thread's stack ends where the kernel put the arguments.
 */
static __always_inline __u64 measure_stack(__u64 sp, __u64 fs_base, __u64 start_stack)
{
    if (sp < start_stack && start_stack - sp < PLAUSIBLE_STACK)
        return start_stack - sp + 8;
    if (sp < fs_base && fs_base - sp < PLAUSIBLE_STACK)
        return fs_base - sp;
    return 0;
}

static __always_inline void identify(struct sample_record *sample)
{
    struct bpf_pidns_info names = {};
    __u64 both = bpf_get_current_pid_tgid();

    sample->pid = both >> 32;
    sample->tid = (__u32)both;
    if (pid_namespace_inode &&
        !bpf_get_ns_current_pid_tgid(pid_namespace_device, pid_namespace_inode, &names, sizeof(names))) {
        sample->pid = names.tgid;
        sample->tid = names.pid;
    }
    bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

#define KEEP_REGISTERS(from)                  \
    {                                         \
        sample->registers[BX] = (from).rbx;   \
        sample->registers[BP] = (from).rbp;   \
        sample->registers[SP] = (from).rsp;   \
        sample->registers[IP] = (from).rip;   \
        sample->registers[R8] = (from).r8;    \
        sample->registers[R9] = (from).r9;    \
        sample->registers[R10] = (from).r10;  \
        sample->registers[R11] = (from).r11;  \
        sample->registers[R12] = (from).r12;  \
        sample->registers[R13] = (from).r13;  \
        sample->registers[R14] = (from).r14;  \
        sample->registers[R15] = (from).r15;  \
    }

/* The registers of user mode, wherever the thread was interrupted. */
static __always_inline int take_registers(struct bpf_perf_event_data *context, struct task_struct *task,
                                          struct sample_record *sample)
{
    __u64 cs = *(volatile __u64 *)((const char *)context + USER_REGISTERS_CS);

    sample->in_kernel = !(cs & 3);
    if (sample->in_kernel) {
        struct pt_regs *saved = (struct pt_regs *)bpf_task_pt_regs(task);
        struct pt_regs copy;

        if (bpf_probe_read_kernel(&copy, sizeof(copy), saved))
            return -1;
        KEEP_REGISTERS(copy);
        return 0;
    }
    KEEP_REGISTERS(context->regs);
    return 0;
}

static __always_inline void take_kernel_stack(void *context, struct scratch *scratch)
{
    long bytes = bpf_get_stack(context, scratch->kernel.addresses, sizeof(scratch->kernel.addresses), 0);

    if (bytes <= 0 || bytes > (long)sizeof(scratch->kernel.addresses))
        return;
    scratch->kernel.head = scratch->sample.head;
    scratch->kernel.head.kind = RECORD_KERNEL;
    bpf_ringbuf_output(&records, &scratch->kernel, sizeof(struct record_head) + (bytes & 0x3ff), BPF_RB_NO_WAKEUP);
}

/*
 * The recorder reads what lies in the ring once in a while; waking it costs the server more than the samples do, since
 * the load's CPU is disturbed. It is woken for what may be gone by then, a process or code not seen before, and where
 * much lies in the ring.
 */
static __always_inline int is_news(__u64 key)
{
    __u32 yes = 1;

    if (bpf_map_lookup_elem(&known, &key))
        return 0;
    bpf_map_update_elem(&known, &key, &yes, BPF_ANY);
    return 1;
}

static __always_inline __u64 wake_recorder(const struct scratch *scratch)
{
    const struct sample_record *sample = &scratch->sample;
    __u64 process = mix(sample->space ^ (__u64)sample->pid << 47);
    int news = sample->status == WALK_UNKNOWN;

    news |= is_news(process ^ scratch->codes);
    news |= is_news(process ^ mix(~(sample->registers[IP] >> STRETCH_BITS)));
    if (news || bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > MUCH_WAITING)
        return BPF_RB_FORCE_WAKEUP;
    return BPF_RB_NO_WAKEUP;
}

static __always_inline void emit_sample(struct scratch *scratch)
{
    __u64 frames = scratch->sample.frame_count;
    __u64 bytes;

    if (frames > MAX_FRAMES)
        frames = MAX_FRAMES;
    bytes = __builtin_offsetof(struct sample_record, frames) + frames * sizeof(struct frame_record);
    if (bpf_ringbuf_output(&records, &scratch->sample, bytes, wake_recorder(scratch)))
        count(COUNT_LOST);
}

SEC("perf_event")
int take_sample(struct bpf_perf_event_data *context)
{
    __u64 started = bpf_ktime_get_ns();
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    struct mm_struct *mm = task->mm;
    const struct layout *layout;
    struct scratch *scratch;
    struct sample_record *sample;
    __u32 zero = 0;
    __u64 space, fs_base;

    if (!mm)
        return 0; /* a kernel thread, or one that is ending */
    space = mm->start_stack;
    layout = find_layout(space);
    if (!layout && !descends_from_target(task)) {
        count(COUNT_OTHER);
        return 0;
    }
    scratch = bpf_map_lookup_elem(&scratches, &zero);
    if (!scratch)
        return 0;

    sample = &scratch->sample;
    sample->head.kind = RECORD_SAMPLE;
    sample->head.cpu = bpf_get_smp_processor_id();
    sample->head.sequence = count(COUNT_SAMPLES);
    sample->time = started;
    sample->space = space;
    sample->frame_count = 0;
    sample->interpreter = 0;
    scratch->codes = 0;
    sample->status = WALK_UNKNOWN;
    identify(sample);
    if (take_registers(context, task, sample)) {
        count(COUNT_LOST);
        return 0;
    }
    fs_base = task->thread.fsbase;
    sample->stack_size = measure_stack(sample->registers[SP], fs_base, space);
    if (layout)
        walk_python(scratch, layout, fs_base, 0);
    if (sample->in_kernel)
        take_kernel_stack(context, scratch);
    copy_user_stack(sample, 0);
    sample->walk_ns = bpf_ktime_get_ns() - started;
    emit_sample(scratch);
    return 0;
}

#include "waits.h"

/* Reading user memory is open only to programs under a GPL-compatible licence. */
char LICENSE[] SEC("license") = "GPL";
