; reel for Linux i386: records the machine it runs in, from ring 3. A static ELF file without libc, made by NASM alone:
;   nasm -f bin -o reel reel-linux.asm
; Where the port is not for ring 3, or not there, its IN raises #GP, which Linux turns into SIGSEGV: the handler then lets the IN
; read all ones, as from an empty port.

        bits    32
        cpu     686

%define REEL_FLAGS REEL_FLAG_TOUCH
%define NEWLINE 10
%include "agent.inc"

SYS_EXIT        equ 1
SYS_FORK        equ 2
SYS_READ        equ 3
SYS_WRITE       equ 4
SYS_OPEN        equ 5
SYS_WAITPID     equ 7
SYS_EXECVE      equ 11
SYS_SIGNAL      equ 48
SYS_RT_SIGRETURN equ 173
SYS_RT_SIGACTION equ 174
SIGINT          equ 2
SIGQUIT         equ 3
SIGSEGV         equ 11
SIG_DFL         equ 0
SIG_IGN         equ 1
SA_SIGINFO      equ 4
SA_RESTORER     equ 0x04000000
SIGSET_BYTES    equ 8
ENOENT          equ -2
EINTR           equ -4
ENOTDIR         equ -20
; struct ucontext of the i386 ABI
UC_EAX          equ 64
UC_TRAPNO       equ 68
UC_EIP          equ 76
TRAP_PROTECTION equ 13
EXIT_SIGNAL     equ 128

PAGE            equ 4096
TEXT_BASE       equ 0x08048000
DATA_BASE       equ 0x08100000
BUFFER_BYTES    equ REEL_MAX_DATA
PATH_BYTES      equ 4096

PT_LOAD         equ 1
PT_GNU_STACK    equ 0x6474E551
PF_RX           equ 5
PF_RW           equ 6

        org     TEXT_BASE

elf_header:
        db      0x7F, 'ELF', 1, 1, 1, 0         ; 32 bit, little endian
        times   8 db 0
        dw      2, 3                            ; ET_EXEC, EM_386
        dd      1, start, program_headers-elf_header, 0, 0
        dw      52, 32, 3, 0, 0, 0
program_headers:
        dd      PT_LOAD, 0, TEXT_BASE, TEXT_BASE, file_end-elf_header, file_end-elf_header, PF_RX, PAGE
        dd      PT_LOAD, 0, DATA_BASE, DATA_BASE, 0, data_end-DATA_BASE, PF_RW, PAGE
        dd      PT_GNU_STACK, 0, 0, 0, 0, 0, PF_RW, 16

        REEL_AGENT_BEGIN
        REEL_LIBRARY

start:
        mov     eax, SYS_RT_SIGACTION
        mov     ebx, SIGSEGV
        mov     ecx, on_fault_action
        xor     edx, edx
        mov     esi, SIGSET_BYTES
        int     0x80
        ; The emulator hashes the code only if all of it is mapped: Linux maps a page when it is used.
        mov     esi, reel_agent_header
.touch: mov     al, [esi]
        add     esi, PAGE
        cmp     esi, reel_agent_end
        jb      .touch
        mov     al, [reel_agent_end-1]
        pop     ecx                             ; argc
        mov     ebp, esp                        ; argv
        lea     eax, [ebp+4*ecx+4]
        mov     [environment], eax
        jecxz   .main
        add     ebp, 4
.main:  jmp     main

%include "verbs.inc"

; ---- SIGSEGV: number, siginfo, ucontext
on_fault:
        mov     eax, [esp+12]
        cmp     dword [eax+UC_TRAPNO], TRAP_PROTECTION
        jne     .other
        cmp     dword [eax+UC_EIP], reel_in
        jne     .other
        mov     dword [eax+UC_EAX], -1
        inc     dword [eax+UC_EIP]              ; IN EAX,DX is one byte
        ret
        ; Our own mistake: the instruction faults again and ends the program.
.other: mov     eax, SYS_SIGNAL
        push    ebx
        mov     ebx, SIGSEGV
        mov     ecx, SIG_DFL
        int     0x80
        pop     ebx
        ret
restorer:
        mov     eax, SYS_RT_SIGRETURN
        int     0x80

        align   4, db 0
; struct kernel_sigaction: handler, flags, restorer, mask
on_fault_action:
        dd      on_fault, SA_SIGINFO | SA_RESTORER, restorer, 0, 0

; ---- the system's part of verbs.inc
sys_write:
        mov     eax, SYS_WRITE
        int     0x80
        ret
sys_read:
        mov     eax, SYS_READ
        int     0x80
        ret
sys_open:
        push    ecx
        mov     eax, SYS_OPEN
        xor     ecx, ecx                        ; O_RDONLY
        int     0x80
        pop     ecx
        ret
sys_exit:
        mov     eax, SYS_EXIT
        int     0x80

spawn:  mov     eax, SYS_FORK
        int     0x80
        test    eax, eax
        mov     esi, text_fork
        js      .failed
        jz      child
        mov     edi, eax
        ; As system(3) does: what ends the command does not end the phase.
        mov     eax, SYS_SIGNAL
        mov     ebx, SIGINT
        mov     ecx, SIG_IGN
        int     0x80
        mov     eax, SYS_SIGNAL
        mov     ebx, SIGQUIT
        int     0x80
        mov     ebx, edi
.wait:  mov     eax, SYS_WAITPID
        mov     ecx, wait_status
        xor     edx, edx
        int     0x80
        cmp     eax, EINTR
        je      .wait
        movzx   eax, byte [wait_status+1]
        mov     ecx, [wait_status]
        and     ecx, 0x7F
        jz      .done
        lea     eax, [ecx+EXIT_SIGNAL]
.done:  ret
.failed:
        mov     edi, [verb]
        call    complain_about
        mov     eax, REEL_EXIT_FAILED
        ret

; The child: execve, with a search along PATH for a name without a slash.
child:  mov     esi, [ebp]
        mov     dword [reason], ENOENT
.slash: lodsb
        cmp     al, '/'
        je      .direct
        test    al, al
        jnz     .slash
        call    find_path                       ; ESI = directories between colons
.directory:
        mov     edi, path
.copy:  lodsb
        cmp     al, ':'
        je      .join
        test    al, al
        jz      .last
        stosb
        cmp     edi, path+PATH_BYTES
        jb      .copy
        jmp     .none
.last:  dec     esi                             ; again at the 0
.join:  cmp     edi, path
        je      .here                           ; an empty entry is the current directory
        mov     al, '/'
        stosb
.here:  push    esi
        mov     esi, [ebp]
.name:  lodsb
        stosb
        cmp     edi, path+PATH_BYTES+256
        jae     .next                           ; no such name
        test    al, al
        jnz     .name
        mov     ebx, path
        call    execute
.next:  pop     esi
        cmp     byte [esi], 0
        jne     .directory
        cmp     byte [esi-1], ':'
        jne     .none
        cmp     byte [ended], 0                 ; a colon at the very end: the current directory
        mov     byte [ended], 1
        je      .directory
        jmp     .none
.direct:
        mov     ebx, [ebp]
        call    execute
.none:  mov     esi, text_not_found
        mov     ebx, EXIT_NOT_FOUND
        cmp     dword [reason], ENOENT
        je      .leave
        mov     esi, text_not_started
        mov     ebx, EXIT_NOT_STARTED
.leave: push    ebx
        mov     edi, [ebp]
        call    complain_about
        pop     ebx
        jmp     sys_exit

; EBX = path. Returns if it could not be started, and keeps the reason unless the file is not there.
execute:
        mov     eax, SYS_EXECVE
        mov     ecx, ebp
        mov     edx, [environment]
        int     0x80
        cmp     eax, ENOENT
        je      .absent
        cmp     eax, ENOTDIR
        je      .absent
        mov     [reason], eax
.absent:
        ret

; ESI = the value of PATH, or a usual one.
find_path:
        mov     ebx, [environment]
.next:  mov     esi, [ebx]
        add     ebx, 4
        test    esi, esi
        jz      .usual
        cmp     dword [esi], 'PATH'
        jne     .next
        cmp     byte [esi+4], '='
        jne     .next
        add     esi, 5
        ret
.usual: mov     esi, usual_path
        ret

usual_path:     db '/bin:/usr/bin:/sbin:/usr/sbin', 0
text_fork:      db 'no process could be made', 0

        REEL_AGENT_END
file_end:

        absolute DATA_BASE
        VERB_VARIABLES
environment:    resd 1
wait_status:    resd 1
reason:         resd 1
ended:          resd 1
path:           resb PATH_BYTES+256+4
buffer:         resb BUFFER_BYTES+4
data_end:
