/*
 * Waits by scheduler events: what the threads of the target wait for while they are not on a CPU.
 *
 * Each thread has one sampling instant at a random place in every period of wall time. A wait in which none falls costs
 * two look-ups. Of the others the stack is taken after the wait and before the thread is back in its own code: where it
 * leaves the system call, or is switched out again inside it. Until then its registers and its user stack are what they
 * were throughout the wait, and its memory is the one that is mapped. Included by walk.bpf.c.
 */
#include <bpf/bpf_tracing.h>

#define TASK_ENDED 0x80u      /* the kernel's TASK_DEAD */
#define KERNEL_WORKER 0x4010u /* PF_USER_WORKER, PF_IO_WORKER */

struct wait {
    __u64 epoch; /* of the window in which `from` was written */
    __u64 from;
    __u64 to;
    __u64 sequence;
    __u32 kind;
    __u32 pending; /* over, hit by a sampling instant, and its stack not taken yet */
};

struct bpf_iter__task {
    void *meta;
    struct task_struct *task;
} __attribute__((preserve_access_index));

const volatile __u64 wait_period = 0;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1); /* as many threads as the recorder says; none where it takes no waits */
    __type(key, __u32);
    __type(value, struct wait);
} waits SEC(".maps");

/* When the window began. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} epochs SEC(".maps");

/* `src/waits.rs` draws the same. */
static __always_inline __u64 sampling_instant(__u32 thread, __u64 stratum)
{
    __u64 x = stratum ^ (__u64)thread << 40;

    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    x ^= x >> 31;
    return stratum * wait_period + x % wait_period;
}

static __always_inline int is_hit(__u32 thread, __u64 from, __u64 to)
{
    __u64 first = from / wait_period, last = to / wait_period, at;

    if (last > first + 1)
        return 1;
    at = sampling_instant(thread, first);
    if (at >= from && at < to)
        return 1;
    return last != first && sampling_instant(thread, last) < to;
}

static __always_inline int read_registers(struct task_struct *task, struct pt_regs *registers)
{
    return bpf_probe_read_kernel(registers, sizeof(*registers), (void *)bpf_task_pt_regs(task));
}

static __always_inline int is_kernel_worker(struct task_struct *task)
{
    return task->flags & KERNEL_WORKER;
}

/* What a wait is that was under way before the window began. */
static __always_inline __u32 guess_kind(struct task_struct *task)
{
    struct pt_regs registers;

    return !read_registers(task, &registers) && (long)registers.orig_rax < 0 ? WAIT_RUNNABLE : WAIT_BLOCKED;
}

static __always_inline struct wait *find_wait(struct task_struct *task, __u64 epoch, int make)
{
    __u32 thread = task->pid;
    struct wait *wait = bpf_map_lookup_elem(&waits, &thread);
    __u64 born = task->start_time;

    if (!wait) {
        struct wait fresh = {};

        if (!make)
            return 0;
        if (bpf_map_update_elem(&waits, &thread, &fresh, BPF_NOEXIST)) {
            count(COUNT_LOST);
            return 0;
        }
        wait = bpf_map_lookup_elem(&waits, &thread);
        if (!wait)
            return 0;
    }
    if (wait->epoch != epoch) {
        wait->epoch = epoch;
        wait->from = born > epoch ? born : epoch;
        wait->kind = WAIT_UNKNOWN;
        wait->pending = 0;
    }
    return wait;
}

static __always_inline __u64 window_start(void)
{
    __u32 zero = 0;
    __u64 *epoch = bpf_map_lookup_elem(&epochs, &zero);

    return epoch ? *epoch : 0;
}

/* A thread's stack in the kernel while it is not running, sent ahead of its sample. */
static __always_inline void send_kernel_stack(struct task_struct *task, struct scratch *scratch, struct wait *wait)
{
    long bytes = bpf_get_task_stack(task, scratch->kernel.addresses, sizeof(scratch->kernel.addresses), 0);

    if (bytes <= 0 || bytes > (long)sizeof(scratch->kernel.addresses))
        return;
    scratch->kernel.head.kind = RECORD_KERNEL;
    scratch->kernel.head.cpu = WAIT_STREAM | task->pid;
    scratch->kernel.head.sequence = wait->sequence;
    bpf_ringbuf_output(&records, &scratch->kernel, sizeof(struct record_head) + (bytes & 0x3ff), BPF_RB_NO_WAKEUP);
}

static __always_inline void name_task(struct task_struct *task, struct sample_record *sample)
{
    sample->pid = task->tgid;
    sample->tid = task->pid;
    if (pid_namespace_inode) {
        struct pid *own = task->thread_pid, *group = task->group_leader->thread_pid;

        bpf_probe_read_kernel(&sample->tid, sizeof(__u32), &own->numbers[own->level & 31].nr);
        bpf_probe_read_kernel(&sample->pid, sizeof(__u32), &group->numbers[group->level & 31].nr);
    }
    bpf_probe_read_kernel(sample->comm, sizeof(sample->comm), task->comm);
}

/* `other` is null for the current thread. A wait outside a system call has no user stack: the thread runs on at once. */
static __always_inline void send_wait(struct scratch *scratch, struct task_struct *task, struct task_struct *other,
                                      struct wait *wait)
{
    struct sample_record *sample = &scratch->sample;
    struct wait_record record = {};
    __u64 started = bpf_ktime_get_ns(), space = task->mm->start_stack, fs_base = task->thread.fsbase;
    struct pt_regs registers;

    record.head.kind = RECORD_WAIT;
    record.head.cpu = WAIT_STREAM | task->pid;
    record.head.sequence = wait->sequence;
    record.from = wait->from;
    record.to = wait->to;
    record.kind = wait->kind;
    record.thread = task->pid;
    wait->pending = 0;
    sample->head.kind = RECORD_SAMPLE;
    sample->head.cpu = record.head.cpu;
    sample->head.sequence = record.head.sequence;
    sample->time = wait->from;
    sample->space = space;
    sample->frame_count = 0;
    sample->interpreter = 0;
    scratch->codes = 0;
    sample->in_kernel = 1;
    sample->status = WALK_UNKNOWN;
    name_task(task, sample);
    if (read_registers(task, &registers)) {
        count(COUNT_LOST);
        return;
    }
    KEEP_REGISTERS(registers);
    sample->stack_size = measure_stack(sample->registers[SP], fs_base, space);
    if (wait->kind == WAIT_BLOCKED) {
        const struct layout *layout = find_layout(space);

        if (layout)
            walk_python(scratch, layout, fs_base, other);
        copy_user_stack(sample, other);
    }
    sample->walk_ns = bpf_ktime_get_ns() - started;
    if (bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_NO_WAKEUP)) {
        count(COUNT_LOST);
        return;
    }
    emit_sample(scratch);
}

static __always_inline struct scratch *take_scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&scratches, &zero);
}

static __always_inline void leave_cpu(struct task_struct *task, int runnable, __u64 epoch, __u64 now)
{
    struct scratch *scratch;
    struct wait *wait = find_wait(task, epoch, 1);

    if (!wait)
        return;
    if (wait->pending) {
        scratch = take_scratch();
        if (scratch)
            send_wait(scratch, task, 0, wait);
    }
    wait->from = now;
    wait->kind = runnable ? WAIT_RUNNABLE : WAIT_BLOCKED;
}

static __always_inline void enter_cpu(struct task_struct *task, __u64 epoch, __u64 now)
{
    struct wait *wait = find_wait(task, epoch, 1);
    struct pt_regs registers;
    struct scratch *scratch;

    if (!wait || now <= wait->from || !is_hit(task->pid, wait->from, now))
        return;
    wait->to = now;
    wait->sequence = count(COUNT_SAMPLES);
    if (wait->kind == WAIT_UNKNOWN)
        wait->kind = guess_kind(task);
    if (is_kernel_worker(task))
        wait->kind = WAIT_KERNEL;
    if (wait->kind == WAIT_BLOCKED && (read_registers(task, &registers) || (long)registers.orig_rax < 0))
        wait->kind = WAIT_FAULT;
    scratch = wait->kind == WAIT_RUNNABLE ? 0 : take_scratch();
    if (scratch)
        send_kernel_stack(task, scratch, wait);
    wait->pending = 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switch_threads, int preempt, struct task_struct *prev, struct task_struct *next, unsigned int state)
{
    __u64 epoch = window_start(), now = bpf_ktime_get_ns();
    struct mm_struct *mm = prev->mm;

    if (state & TASK_ENDED) {
        __u32 thread = prev->pid;

        bpf_map_delete_elem(&waits, &thread);
    } else if (mm && find_layout(mm->start_stack)) {
        leave_cpu((struct task_struct *)bpf_get_current_task_btf(), (preempt & 1) || !state, epoch, now);
    }
    mm = next->mm;
    if (mm && find_layout(mm->start_stack))
        enter_cpu(next, epoch, now);
    return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave_call, struct pt_regs *registers, long result)
{
    __u32 thread = (__u32)bpf_get_current_pid_tgid();
    struct wait *wait = bpf_map_lookup_elem(&waits, &thread);
    struct task_struct *task;
    struct scratch *scratch;

    if (!wait || !wait->pending)
        return 0;
    task = (struct task_struct *)bpf_get_current_task_btf();
    scratch = take_scratch();
    if (scratch && task->mm)
        send_wait(scratch, task, 0, wait);
    return 0;
}

/* Run for every thread when a window ends: those that still wait then. Their memory is read from outside. */
SEC("iter.s/task")
int visit_thread(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    __u64 epoch = window_start(), now = bpf_ktime_get_ns(), switches;
    struct scratch *scratch;
    struct mm_struct *mm;
    struct wait *wait;
    __u32 one = 1;

    if (!task)
        return 0;
    mm = task->mm;
    if (!mm || !find_layout(mm->start_stack) || task->on_cpu)
        return 0;
    switches = task->nvcsw + task->nivcsw;
    wait = find_wait(task, epoch, 1);
    scratch = bpf_map_lookup_elem(&scratches, &one);
    if (!wait || !scratch || wait->pending || now <= wait->from || !is_hit(task->pid, wait->from, now))
        return 0;
    wait->to = now;
    wait->sequence = count(COUNT_SAMPLES);
    if (wait->kind == WAIT_UNKNOWN)
        wait->kind = guess_kind(task);
    if (is_kernel_worker(task))
        wait->kind = WAIT_KERNEL;
    if (wait->kind != WAIT_RUNNABLE)
        send_kernel_stack(task, scratch, wait);
    if (task->on_cpu || switches != task->nvcsw + task->nivcsw)
        return 0; /* it woke meanwhile */
    send_wait(scratch, task, task, wait);
    wait->from = now;
    return 0;
}
