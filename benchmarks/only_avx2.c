// Preloaded into a process, it hides AVX-512, AMX and VNNI: CPUID traps and is answered without them, so that every
// library takes its path for AVX2.
//
//   gcc -O2 -shared -fPIC -o only_avx2.so only_avx2.c && LD_PRELOAD=$PWD/only_avx2.so python -m benchmarks.backends
//
// Needs Linux on x86-64 and a CPU with cpuid_fault among its flags. /proc/cpuinfo stays as it is, and negbench would
// choose bfloat16 from it: mount one without these flags over it (unshare -m, mount --bind).
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

typedef int (*setter)(int, const struct sigaction *, struct sigaction *);

// Handlers of others for SIGSEGV, such as a compiler's, must not take the place of this one.
int sigaction(int number, const struct sigaction *action, struct sigaction *before) {
    return number == SIGSEGV && action ? 0 : ((setter)dlsym(RTLD_NEXT, "sigaction"))(number, action, before);
}

sighandler_t signal(int number, sighandler_t handler) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before = {.sa_handler = SIG_DFL};
    return sigaction(number, &action, &before) ? SIG_ERR : before.sa_handler;
}

static void answer(int, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (info->si_code != SI_KERNEL || code[0] != 0x0f || code[1] != 0xa2) {  // not CPUID
        abort();
    }
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, part, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && part == 0) {
        b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);  // AVX-512
        c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);  // its VBMI, VNNI, BITALG, VPOPCNTDQ
        d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);  // its rest, FP16, AMX
    } else if (leaf == 7) {  // AVX-VNNI, bfloat16, AMX-FP16, AVX10 and later
        a = b = c = d = 0;
    } else if (leaf == 0xd && part == 0) {
        a &= 7;  // state: x87, SSE, AVX
    } else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {
        a = b = c = d = 0;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    ((setter)dlsym(RTLD_NEXT, "sigaction"))(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        perror("only_avx2: CPUID cannot be trapped here");
        _exit(1);
    }
}
