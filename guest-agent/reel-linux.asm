; reel for Linux i386: records the machine it runs in, from ring 3. A static ELF file without libc, built by NASM alone:
;   nasm -f bin -o reel reel-linux.asm
; The port is guestreel's backdoor (protocol.inc). Outside guestreel, or where the policy has no rule for ring 3, IN raises
; #GP, which Linux delivers as SIGSEGV: the handler says so and exits with 63.

%include "protocol.inc"

        bits    32
        cpu     686
        org     0x08048000

SYS_EXIT        equ 1
SYS_FORK        equ 2
SYS_READ        equ 3
SYS_WRITE       equ 4
SYS_OPEN        equ 5
SYS_WAITPID     equ 7
SYS_EXECVE      equ 11
SYS_SIGACTION   equ 67
SIGSEGV         equ 11
ENOENT          equ 2
ENOTDIR         equ 20
EXIT_USAGE      equ 62
EXIT_NO_PORT    equ 63
EXIT_REFUSED    equ 64                  ; + status
BUFFER_BYTES    equ 65536

; ---- ELF header and the one segment
elf:    db      0x7F, 'ELF', 1, 1, 1, 0
        times   8 db 0
        dw      2, 3                    ; ET_EXEC, EM_386
        dd      1, start, segment_header-elf, 0, 0
        dw      52, 32, 1, 0, 0, 0
segment_header:
        dd      1, 0, elf, elf, file_end-elf, memory_end-elf, 7, 0x1000

; ---- the header by which guestreel finds and hashes this code
        align   4, db 0
code_header:
        db      'REELCODE'
        dd      code_end-code_start, 0
code_start:

; CALL_PORT command: EBX, ESI, EDI as they are -> EAX = status, other registers as the command says.
%macro CALL_PORT 1
        mov     eax, REEL_MAGIC
        mov     ecx, %1 | (REEL_FLAG_TOUCH << 16)
        mov     edx, REEL_PORT
        in      eax, dx
%endmacro

start:
        mov     eax, SYS_SIGACTION
        mov     ebx, SIGSEGV
        mov     ecx, action
        xor     edx, edx
        int     0x80
        pop     ecx                     ; argc
        mov     ebp, esp                ; argv
        lea     eax, [ebp+4*ecx+4]
        mov     [environment], eax
        cmp     ecx, 2
        jb      usage
        mov     esi, [ebp+4]
        mov     [verb], esi
        add     ebp, 8                  ; the verb's arguments
        mov     ebx, verbs
.next:  mov     edi, [ebx]
        test    edi, edi
        jz      usage
        call    equal
        je      .found
        add     ebx, 8
        jmp     .next
.found: jmp     [ebx+4]

; ---- verbs. EBP = their arguments, ended by 0.
do_hello:
        call    no_more
        mov     ebx, ~REEL_MAGIC
        mov     esi, REEL_VERSION | (REEL_VERSION << 16)
        CALL_PORT REEL_HELLO
        call    check_status
        push    edi
        mov     esi, text_protocol
        mov     eax, ecx
        call    say_number
        mov     esi, text_epoch
        pop     eax
        call    say_number
        jmp     success

do_start:
        call    text_argument
        call    no_more
        CALL_PORT REEL_START
        call    check_status
        mov     esi, text_recording
        mov     eax, ebx
        call    say_number
        jmp     success

do_stop:
        xor     ebx, ebx
        cmp     dword [ebp], 0
        je      .call
        call    number_argument
        mov     ebx, eax
.call:  call    no_more
        CALL_PORT REEL_STOP
        call    check_status
        jmp     success

do_mark:
        call    text_argument
        xor     ebx, ebx
        cmp     dword [ebp], 0
        je      .call
        push    esi
        push    edi
        call    number_argument
        pop     edi
        pop     esi
        mov     ebx, eax
.call:  call    no_more
        CALL_PORT REEL_MARK
        jmp     finish

do_begin:
        call    text_argument
        call    no_more
        CALL_PORT REEL_BEGIN
        jmp     finish

do_end:
        call    text_argument
        call    no_more
        CALL_PORT REEL_END
        jmp     finish

do_log:
        call    text_argument
        call    no_more
        CALL_PORT REEL_LOG
        jmp     finish

do_auth:
        call    text_argument
        call    no_more
        CALL_PORT REEL_AUTH
        jmp     finish

do_checkpoint:
        call    no_more
        CALL_PORT REEL_CHECKPOINT
        jmp     finish

do_exit:
        call    number_argument
        call    no_more
        mov     ebx, eax
        CALL_PORT REEL_EXIT
        jmp     finish

do_verdict:
        mov     esi, [ebp]
        test    esi, esi
        jz      usage
        add     ebp, 4
        xor     ebx, ebx
        mov     edi, name_pass
        call    equal
        je      .known
        inc     ebx
        mov     edi, name_fail
        call    equal
        je      .known
        inc     ebx
        mov     edi, name_skip
        call    equal
        jne     usage
.known: push    ebx
        call    text_argument
        call    no_more
        pop     ebx
        CALL_PORT REEL_VERDICT
        jmp     finish

do_status:
        call    no_more
        CALL_PORT REEL_STATUS
        call    check_status
        push    edi
        push    edx
        push    ecx
        mov     esi, text_idle
        test    ebx, REEL_STATE_RECORDING
        jz      .state
        mov     esi, text_running
.state: call    say
        mov     esi, text_may
        pop     eax
        call    say_number
        mov     esi, text_quota
        pop     eax
        call    say_number
        mov     esi, text_epoch
        pop     eax
        call    say_number
        jmp     success

; check FILE|-  and  put FILE|- [HANDLE]: the file's bytes, a buffer at a time.
do_check:
        mov     dword [command], REEL_CHECK
        jmp     send_file
do_put:
        mov     dword [command], REEL_PUT
send_file:
        call    open_argument
        xor     eax, eax
        cmp     dword [ebp], 0
        je      .handle
        call    number_argument
.handle:
        mov     [handle], eax
        call    no_more
.next:  mov     eax, SYS_READ
        mov     ebx, [descriptor]
        mov     ecx, buffer
        mov     edx, BUFFER_BYTES
        int     0x80
        test    eax, eax
        js      file_error
        jz      success
        mov     edi, eax
        mov     esi, buffer
        mov     ebx, [handle]
        mov     eax, REEL_MAGIC
        mov     ecx, [command]
        or      ecx, REEL_FLAG_TOUCH << 16
        mov     edx, REEL_PORT
        in      eax, dx
        call    check_status
        jmp     .next

; get [HANDLE]: to standard output.
do_get:
        xor     eax, eax
        cmp     dword [ebp], 0
        je      .handle
        call    number_argument
.handle:
        mov     [handle], eax
        call    no_more
.next:  mov     ebx, [handle]
        mov     esi, buffer
        mov     edi, BUFFER_BYTES
        CALL_PORT REEL_GET
        call    check_status
        jecxz   .done
        mov     edx, ecx
        mov     ecx, buffer
        mov     ebx, 1
        call    write_all
        jmp     .next
.done:  jmp     success

; run PHASE -- COMMAND...: begin, the command, verdict by its exit status, end. Exits as the command does.
do_run:
        call    text_argument
        mov     [phase], esi
        mov     [phase_length], edi
        mov     esi, [ebp]
        test    esi, esi
        jz      usage
        mov     edi, name_dashes
        call    equal
        jne     usage
        add     ebp, 4
        cmp     dword [ebp], 0
        je      usage
        mov     esi, [phase]
        mov     edi, [phase_length]
        CALL_PORT REEL_BEGIN
        call    check_status
        mov     eax, SYS_FORK
        int     0x80
        test    eax, eax
        js      .failed
        jz      run_child
        mov     ebx, eax
.wait:  mov     eax, SYS_WAITPID
        mov     ecx, wait_status
        xor     edx, edx
        int     0x80
        cmp     eax, -4                 ; EINTR
        je      .wait
        movzx   eax, byte [wait_status+1]
        mov     ecx, [wait_status]
        and     ecx, 0x7F
        jz      .exited
        lea     eax, [ecx+128]
.exited:
        mov     [child_code], eax
        xor     ebx, ebx
        test    eax, eax
        setnz   bl
        mov     esi, [phase]
        mov     edi, [phase_length]
        CALL_PORT REEL_VERDICT
        call    check_status
        mov     esi, [phase]
        mov     edi, [phase_length]
        CALL_PORT REEL_END
        call    check_status
        mov     ebx, [child_code]
        jmp     leave_with
.failed:
        mov     esi, text_fork
        jmp     fail_usage

; The child: execve with PATH search. Comes back only when nothing could be started.
run_child:
        mov     esi, [ebp]
        mov     edi, esi
.slash: mov     al, [edi]
        inc     edi
        cmp     al, '/'
        je      .direct
        test    al, al
        jnz     .slash
        call    find_path               ; ESI = directories, colon separated
.directory:
        mov     edi, buffer
.copy:  mov     al, [esi]
        test    al, al
        jz      .last
        inc     esi
        cmp     al, ':'
        je      .join
        stosb
        cmp     edi, buffer+2048
        jb      .copy
.last:  mov     byte [last_directory], 1
.join:  mov     al, '/'
        stosb
        push    esi
        mov     esi, [ebp]
.name:  lodsb
        stosb
        cmp     edi, buffer+4096
        jae     .named
        test    al, al
        jnz     .name
.named: mov     ebx, buffer
        call    execute
        pop     esi
        cmp     byte [last_directory], 0
        je      .directory
        jmp     .none
.direct:
        mov     ebx, [ebp]
        call    execute
.none:  mov     esi, [ebp]
        call    complain_name
        mov     esi, text_cannot_start
        call    complain
        mov     ebx, 127
        jmp     leave_with

execute:
        mov     eax, SYS_EXECVE
        mov     ecx, ebp
        mov     edx, [environment]
        int     0x80
        ret

; ESI = value of PATH, or a usual one.
find_path:
        mov     ebx, [environment]
.next:  mov     esi, [ebx]
        add     ebx, 4
        test    esi, esi
        jz      .default
        cmp     dword [esi], 'PATH'
        jne     .next
        cmp     byte [esi+4], '='
        jne     .next
        add     esi, 5
        ret
.default:
        mov     esi, usual_path
        ret

; ---- arguments
; The next argument as a text: ESI, EDI = length.
text_argument:
        mov     esi, [ebp]
        test    esi, esi
        jz      usage
        add     ebp, 4
        call    length
        mov     edi, ecx
        ret

; The next argument as a decimal number: EAX.
number_argument:
        mov     esi, [ebp]
        test    esi, esi
        jz      usage
        add     ebp, 4
        xor     eax, eax
        cmp     byte [esi], 0
        je      bad_number
.digit: movzx   ecx, byte [esi]
        inc     esi
        test    ecx, ecx
        jz      .done
        sub     ecx, '0'
        cmp     ecx, 9
        ja      bad_number
        cmp     eax, 429496729
        ja      bad_number
        imul    eax, eax, 10
        add     eax, ecx
        jc      bad_number
        jmp     .digit
.done:  ret

; Opens the next argument for reading; `-` is standard input.
open_argument:
        mov     ebx, [ebp]
        test    ebx, ebx
        jz      usage
        add     ebp, 4
        mov     dword [descriptor], 0
        cmp     word [ebx], '-'         ; with its final zero
        je      .done
        mov     [file], ebx
        mov     eax, SYS_OPEN
        xor     ecx, ecx
        int     0x80
        test    eax, eax
        js      file_error
        mov     [descriptor], eax
.done:  ret

no_more:
        cmp     dword [ebp], 0
        jne     usage
        ret

; ZF: the strings at ESI and EDI are equal. All registers but EAX are kept.
equal:  push    esi
        push    edi
.next:  lodsb
        scasb
        jne     .done
        test    al, al
        jnz     .next
.done:  pop     edi
        pop     esi
        ret

; ECX = length of the string at ESI.
length: xor     ecx, ecx
.next:  cmp     byte [esi+ecx], 0
        je      .done
        inc     ecx
        jmp     .next
.done:  ret

; ---- results
; Returns when the status in EAX is OK; otherwise says what was refused and leaves. Keeps the other registers.
check_status:
        test    eax, eax
        jz      .ok
        cmp     eax, REEL_STATUS_COUNT
        jae     no_port                 ; all ones: an ordinary empty port
        push    eax
        mov     esi, [verb]
        call    complain_name
        mov     eax, [esp]
        mov     esi, [status_texts+4*eax]
        call    complain
        pop     ebx
        add     ebx, EXIT_REFUSED
        jmp     leave_with
.ok:    ret

finish: call    check_status
success:
        xor     ebx, ebx
leave_with:
        mov     eax, SYS_EXIT
        int     0x80

on_fault:
no_port:
        mov     esi, text_no_port
        call    complain
        mov     ebx, EXIT_NO_PORT
        jmp     leave_with

bad_number:
        mov     esi, text_bad_number
        jmp     fail_usage
file_error:
        mov     esi, [file]
        call    complain_name
        mov     esi, text_file
fail_usage:
        call    complain
        mov     ebx, EXIT_USAGE
        jmp     leave_with

do_help:
        mov     esi, text_usage
        call    say
        jmp     success
usage:  mov     esi, text_usage
        jmp     fail_usage

; ---- output
; "reel: NAME: " on standard error.
complain_name:
        push    esi
        mov     esi, text_reel
        call    complain
        pop     esi
        call    complain
        mov     esi, text_colon
complain:
        mov     ebx, 2
        jmp     put
say:    mov     ebx, 1
put:    call    length
        mov     edx, ecx
        mov     ecx, esi
; EBX = descriptor, ECX = bytes, EDX = count.
write_all:
        test    edx, edx
        jz      .done
        mov     eax, SYS_WRITE
        int     0x80
        test    eax, eax
        jle     .done
        add     ecx, eax
        sub     edx, eax
        jmp     write_all
.done:  ret

; The text at ESI, the number in EAX, a line feed.
say_number:
        push    eax
        call    say
        pop     eax
        mov     edi, digits_end
        mov     byte [edi], 10
        mov     ecx, 10
.digit: xor     edx, edx
        div     ecx
        add     dl, '0'
        dec     edi
        mov     [edi], dl
        test    eax, eax
        jnz     .digit
        mov     ecx, edi
        mov     edx, digits_end+1
        sub     edx, edi
        mov     ebx, 1
        jmp     write_all

verbs:  dd      name_start, do_start, name_stop, do_stop, name_mark, do_mark, name_begin, do_begin, name_end, do_end
        dd      name_run, do_run, name_verdict, do_verdict, name_check, do_check, name_log, do_log
        dd      name_status, do_status, name_auth, do_auth, name_put, do_put, name_get, do_get
        dd      name_checkpoint, do_checkpoint, name_exit, do_exit, name_hello, do_hello, name_help, do_help, 0

name_start:     db 'start', 0
name_stop:      db 'stop', 0
name_mark:      db 'mark', 0
name_begin:     db 'begin', 0
name_end:       db 'end', 0
name_run:       db 'run', 0
name_verdict:   db 'verdict', 0
name_check:     db 'check', 0
name_log:       db 'log', 0
name_status:    db 'status', 0
name_auth:      db 'auth', 0
name_put:       db 'put', 0
name_get:       db 'get', 0
name_checkpoint: db 'checkpoint', 0
name_exit:      db 'exit', 0
name_hello:     db 'hello', 0
name_help:      db 'help', 0
name_pass:      db 'pass', 0
name_fail:      db 'fail', 0
name_skip:      db 'skip', 0
name_dashes:    db '--', 0
usual_path:     db '/bin:/usr/bin:/sbin:/usr/sbin', 0

text_reel:      db 'reel: ', 0
text_colon:     db ': ', 0
text_no_port:   db "reel: guestreel's port is not available here", 10, 0
text_bad_number: db 'reel: a decimal number is expected', 10, 0
text_file:      db 'cannot be read', 10, 0
text_fork:      db 'reel: no process could be made', 10, 0
text_cannot_start: db 'cannot be started', 10, 0
text_protocol:  db 'protocol ', 0
text_recording: db 'recording ', 0
text_running:   db 'recording', 10, 0
text_idle:      db 'not recording', 10, 0
text_may:       db 'may (bits) ', 0
text_quota:     db 'quota (MiB) ', 0
text_epoch:     db 'epoch ', 0
text_usage:
        db      'usage: reel start NAME | stop [ID] | mark LABEL [VALUE] | begin PHASE | end PHASE', 10
        db      '       reel run PHASE -- COMMAND... | verdict pass|fail|skip NAME | log TEXT', 10
        db      '       reel check FILE|- | put FILE|- [HANDLE] | get [HANDLE] | auth TOKEN', 10
        db      '       reel checkpoint | exit CODE | status | hello | help', 10
        db      'exit status: 0 done, 62 wrong usage, 63 not under guestreel, 64 + reason of a refusal:', 10
        db      '  65 unknown, 66 denied, 67 too often, 68 quota, 69 already recording, 70 not recording, 71 fault,', 10
        db      '  72 too long, 73 invalid, 75 host I/O error, 76 not the owner; run: as the command', 10, 0

        REEL_STATUS_TEXTS

        align   4, db 0
; struct old_sigaction: handler, mask, flags, restorer
action: dd      on_fault, 0, 0x40000000, 0
code_end:
file_end:

; ---- zeros
        absolute $
verb:           resd 1
environment:    resd 1
command:        resd 1
handle:         resd 1
descriptor:     resd 1
file:           resd 1
phase:          resd 1
phase_length:   resd 1
wait_status:    resd 1
child_code:     resd 1
last_directory: resd 1
digits:         resb 12
digits_end:     resb 4
buffer:         resb BUFFER_BYTES
memory_end:
