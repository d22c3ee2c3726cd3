/* Layout of what the program and the recorder exchange. `src/record.rs` and `src/program.rs` mirror it. */
#ifndef EXACT_RECORD_H
#define EXACT_RECORD_H

#include <linux/types.h>

#define MAX_FRAMES 1536
#define CODE_WORDS 10
#define MAX_KERNEL_FRAMES 64
#define COMM_BYTES 16

enum register_index { BX, BP, SP, IP, R8, R9, R10, R11, R12, R13, R14, R15, REGISTERS };

/* Set in `cpu` of what belongs to a wait; the other bits are the thread's number then, not a CPU's. */
#define WAIT_STREAM 0x80000000u

/* Records of one sample carry the same cpu and sequence; the sample itself comes last. */
enum record_kind {
    RECORD_SAMPLE = 1,
    RECORD_STACK = 2,
    RECORD_KERNEL = 3,
    RECORD_WAIT = 4,
};

enum walk_status {
    WALK_ATTACHED = 0,   /* thread state found in the interpreter's variable: the thread holds the GIL */
    WALK_DETACHED = 1,   /* found through the thread-specific slot only: the GIL is released */
    WALK_NO_STATE = 2,   /* a native thread without Python: the right answer is a native stack */
    WALK_NO_PYTHON = 3,  /* the process is known and holds no interpreter */
    WALK_FAULT = 4,      /* a read faulted; frames up to there are given */
    WALK_TOO_DEEP = 5,   /* MAX_FRAMES reached; outer frames are missing */
    WALK_UNKNOWN = 6,    /* a child whose address space the recorder has not described yet */
};

enum tls_rule {
    TLS_NONE = 0,     /* only the thread-specific slot is used */
    TLS_DYNAMIC = 1,  /* dynamic thread vector: module and offset */
    TLS_STATIC = 2,   /* offset from the thread control block */
};

/* How to walk one address space; key of the map is the address its initial stack began at. */
struct layout {
    __u64 tls_module;
    __u64 tls_offset;
    __u64 eval_start;      /* with `cframe`: the code in which the newest cframe is not filled in yet */
    __u64 eval_linked;
    __u64 holder;          /* address of the pointer to the state that holds the GIL, 0 where there is none */
    __u32 python;          /* 0: no interpreter in this address space */
    __u32 tls_rule;
    __u32 key;             /* index of the thread-specific slot */
    __u32 cframe;          /* offset of the cframe pointer in the thread state, 0 where there is none */
    __u32 cframe_previous;
    __u32 current_frame;   /* in the cframe, or in the thread state */
    __u32 previous;
    __u32 code;
    __u32 instruction;
    __u32 owner;           /* the byte that tells entry frames */
    __u32 state_interpreter;
    __u32 described;       /* offset of the CODE_WORDS of a code object that tell it from another in its place */
};

struct frame_record {
    __u64 code_and_owner; /* code object in the low 56 bits, owner byte in the high 8 */
    __u32 offset;         /* of the running instruction from the code object */
    __u32 identity;       /* of the code object, another one when its place is used again; 0 where it can't be told */
};

struct record_head {
    __u32 kind;
    __u32 cpu;
    __u64 sequence;
};

struct stack_record {
    struct record_head head;
    __u64 bytes; /* of the copy that are valid */
    __u64 unused;
};

struct kernel_record {
    struct record_head head;
    __u64 addresses[MAX_KERNEL_FRAMES]; /* leaf first */
};

enum wait_kind {
    WAIT_UNKNOWN = 0,  /* it began before the window */
    WAIT_BLOCKED = 1,  /* inside a system call */
    WAIT_RUNNABLE = 2, /* it could have run: preempted, or it gave its CPU away */
    WAIT_FAULT = 3,    /* blocked outside a system call: a page that is being read */
    WAIT_KERNEL = 4,   /* of a thread that the kernel runs for the process (io_uring): it has no stack of its own there */
};

struct wait_record {
    struct record_head head;
    __u64 from;
    __u64 to;
    __u32 kind;
    __u32 thread; /* in the initial pid namespace */
};

struct sample_record {
    struct record_head head;
    __u64 time;
    __u32 pid;
    __u32 tid;
    __u64 registers[REGISTERS]; /* BX BP SP IP R8 to R15: what unwind tables refer to */
    __u64 interpreter;  /* of the thread state */
    __u64 space;        /* start of the initial stack: the address space's identity */
    __u64 stack_size;   /* bytes between sp and the stack's first frame, 0 where it can't be told */
    __u32 status;
    __u32 frame_count;
    __u32 in_kernel;
    __u32 walk_ns;
    char comm[COMM_BYTES];
    struct frame_record frames[MAX_FRAMES]; /* leaf first */
};

enum counter {
    COUNT_SAMPLES = 0,      /* of the target, whether or not they could be stored */
    COUNT_LOST = 1,         /* no room for the sample */
    COUNT_LOST_STACK = 2,   /* no room for its native stack */
    COUNT_OTHER = 3,        /* of other processes, dropped at once */
    COUNTERS = 4,
};

#endif
