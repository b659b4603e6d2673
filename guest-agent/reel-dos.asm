; REEL.COM for DOS 3 and later on a 386 or better, in real or V86 mode. Made by NASM alone:
;   nasm -f bin -o REEL.COM reel-dos.asm
; `run` starts programs (.COM, .EXE), searched for along PATH; what COMMAND.COM has inside or batch files: COMMAND /C.

        cpu     386
        bits    16
        org     0x100

%define NEWLINE 13, 10
%include "agent.inc"

PSP_ENVIRONMENT equ 0x2C
PSP_FCB1        equ 0x5C
PSP_FCB2        equ 0x6C
PSP_TAIL        equ 0x80                ; length, text, CR
TAIL_BYTES      equ 126
MOST_ARGUMENTS  equ TAIL_BYTES / 2 + 1
BUFFER_BYTES    equ 16384
PATH_BYTES      equ 128
STACK_BYTES     equ 2048
DOS_OPEN        equ 0x3D
DOS_READ        equ 0x3F
DOS_WRITE       equ 0x40
DOS_RESIZE      equ 0x4A
DOS_EXECUTE     equ 0x4B
DOS_EXIT        equ 0x4C
DOS_EXIT_CODE   equ 0x4D
FILE_NOT_FOUND  equ 2
PATH_NOT_FOUND  equ 3
HAS_EXTENSION   equ 1                   ; of a program's name
HAS_DIRECTORY   equ 2
ENDED_BY_CTRL_C equ 1
ENDED_BY_ERROR  equ 2
EXIT_CTRL_C     equ 130                 ; as SIGINT
EXIT_ERROR      equ 134                 ; as SIGABRT

        jmp     begin

        REEL_AGENT_BEGIN
        REEL_LIBRARY

; An 8086 cannot clear bits 12 to 15 of FLAGS, a 286 in real mode cannot set them.
        cpu     8086
begin:  pushf
        mov     ax, 0x7000
        push    ax
        popf
        pushf
        pop     ax
        popf
        and     ax, 0xF000
        jz      .too_old
        cmp     ax, 0xF000
        jne     .new
.too_old:
        mov     dx, text_386
        mov     ah, 9
        int     0x21
        mov     ax, (DOS_EXIT << 8) | REEL_EXIT_FAILED
        int     0x21
.new:
        cpu     386
        mov     sp, stack_top
        cld
        mov     di, variables
        mov     cx, variables_end-variables
        xor     al, al
        rep     stosb
        mov     ah, DOS_RESIZE          ; ES is our PSP
        mov     bx, stack_top+15
        shr     bx, 4
        int     0x21
        call    split_tail
        mov     ebp, arguments
        jmp     main

; The command tail becomes `arguments`: words between blanks; "..." keeps blanks. The verb may be in capital letters.
split_tail:
        movzx   ebx, byte [PSP_TAIL]
        cmp     bl, TAIL_BYTES
        jbe     .fits
        mov     bl, TAIL_BYTES
.fits:  mov     byte [PSP_TAIL+1+ebx], 13       ; as DOS does
        mov     esi, PSP_TAIL+1
        mov     edi, words
        mov     ebx, arguments
.blank: lodsb
        cmp     al, ' '
        je      .blank
        cmp     al, 9
        je      .blank
        cmp     al, 13
        je      .done
        dec     esi
        mov     [ebx], edi
        xor     edx, edx                ; inside "..."
.char:  lodsb
        cmp     al, 13
        je      .end
        cmp     al, '"'
        jne     .plain
        xor     dl, 1
        jmp     .char
.plain: test    dl, dl
        jnz     .keep
        cmp     al, ' '
        je      .end
        cmp     al, 9
        je      .end
.keep:  stosb
        jmp     .char
.end:   dec     esi
        xor     al, al
        stosb
        mov     [ebx+rests-arguments], esi      ; the tail behind this word: what `run` hands over
        add     ebx, 4
        jmp     .blank
.done:  mov     esi, words
        mov     edi, esi
.lower: lodsb
        cmp     al, 'A'
        jb      .same
        cmp     al, 'Z'
        ja      .same
        or      al, 0x20
.same:  stosb
        test    al, al
        jnz     .lower
        ret

%include "verbs.inc"

; ---- the system's part of verbs.inc
sys_read:
        mov     ah, DOS_READ
        jmp     transfer
sys_write:
        mov     ah, DOS_WRITE
transfer:
        push    ecx
        push    edx
        xchg    ecx, edx
        call    dos
        pop     edx
        pop     ecx
        ret
sys_open:
        push    edx
        mov     edx, ebx
        mov     ax, DOS_OPEN << 8       ; to read
        call    dos
        pop     edx
        ret
sys_exit:
        mov     al, bl
        mov     ah, DOS_EXIT
        int     0x21

; INT 21h -> EAX = AX, or all ones. DOS keeps the lower halves of the other registers only.
dos:    push    ebx
        push    ecx
        push    edx
        push    esi
        push    edi
        push    ebp
        int     0x21
        pop     ebp
        pop     edi
        pop     esi
        pop     edx
        pop     ecx
        pop     ebx
        jc      .failed
        movzx   eax, ax
        ret
.failed:
        mov     eax, -1
        ret

; ---- EXEC
spawn:  mov     esi, [ebp+rests-arguments]
        mov     edi, child_tail+1
.tail:  lodsb
        stosb
        cmp     al, 13
        jne     .tail
        sub     edi, child_tail+2
        mov     eax, edi
        mov     [child_tail], al
        mov     word [exec_tail], child_tail
        mov     [exec_tail+2], cs
        mov     word [exec_fcb1], PSP_FCB1
        mov     [exec_fcb1+2], cs
        mov     word [exec_fcb2], PSP_FCB2
        mov     [exec_fcb2+2], cs
        mov     esi, [ebp]
        xor     cl, cl
.scan:  lodsb
        cmp     al, '.'
        jne     .no_dot
        or      cl, HAS_EXTENSION
.no_dot:
        cmp     al, '\'
        je      .directory_part
        cmp     al, '/'
        je      .directory_part
        cmp     al, ':'
        jne     .no_part
.directory_part:
        mov     cl, HAS_DIRECTORY
.no_part:
        test    al, al
        jnz     .scan
        mov     [name_kind], cl
        mov     edi, path               ; as it is: the directory it names, or the current one
        call    try
        jnc     .ran
        test    byte [name_kind], HAS_DIRECTORY
        jnz     .none
        mov     fs, [PSP_ENVIRONMENT]
        cmp     word [PSP_ENVIRONMENT], 0
        je      .none
        xor     esi, esi
.variable:
        cmp     byte [fs:esi], 0
        je      .none
        cmp     dword [fs:esi], 'PATH'
        jne     .skip
        cmp     byte [fs:esi+4], '='
        je      .found
.skip:  inc     esi
        cmp     byte [fs:esi-1], 0
        jne     .skip
        jmp     .variable
.found: add     esi, 5
.directory:
        mov     edi, path
.copy:  mov     al, [fs:esi]
        test    al, al
        jz      .join
        inc     esi
        cmp     al, ';'
        je      .join
        stosb
        cmp     edi, path+PATH_BYTES
        jb      .copy
        jmp     .none
.join:  cmp     edi, path
        je      .next
        cmp     byte [edi-1], '\'
        je      .try
        mov     al, '\'
        stosb
.try:   push    esi
        call    try
        pop     esi
        jnc     .ran
.next:  mov     fs, [PSP_ENVIRONMENT]
        cmp     byte [fs:esi], 0
        jne     .directory
.none:  mov     esi, text_not_found
        mov     eax, EXIT_NOT_FOUND
        cmp     byte [refused], 0
        je      .tell
        mov     esi, text_not_started
        mov     eax, EXIT_NOT_STARTED
.tell:  push    eax
        mov     edi, [ebp]
        call    complain_about
        pop     eax
.ran:   ret

; EDI = end of the directory in `path`. CF clear: it ran, EAX = exit code.
try:    mov     esi, [ebp]
.name:  lodsb
        stosb
        test    al, al
        jnz     .name
        dec     edi
        test    byte [name_kind], HAS_EXTENSION
        jnz     execute
        mov     dword [edi], '.COM'
        mov     byte [edi+4], 0
        push    edi
        call    execute
        pop     edi
        jnc     .ran
        mov     dword [edi], '.EXE'
        jmp     execute
.ran:   ret

; Starts `path`; CF and EAX as above.
execute:
        push    ebp
        mov     dx, path
        mov     bx, exec_block
        mov     ax, DOS_EXECUTE << 8
        mov     [saved_stack], sp
        int     0x21
        mov     cx, cs                  ; nothing but CS:IP is sure to be left
        mov     ss, cx
        mov     sp, [cs:saved_stack]
        mov     ds, cx
        mov     es, cx
        cld
        pop     ebp
        jnc     .ended
        cmp     ax, FILE_NOT_FOUND
        je      .absent
        cmp     ax, PATH_NOT_FOUND
        je      .absent
        mov     byte [refused], 1
.absent:
        stc
        ret
.ended: mov     ah, DOS_EXIT_CODE
        int     0x21
        movzx   ecx, ah
        movzx   eax, al
        cmp     cl, ENDED_BY_CTRL_C
        jne     .no_break
        mov     eax, EXIT_CTRL_C
.no_break:
        cmp     cl, ENDED_BY_ERROR
        jne     .no_error
        mov     eax, EXIT_ERROR
.no_error:
        clc
        ret

text_386:       db 'reel needs a 386 or better.', 13, 10, '$'

        REEL_AGENT_END

        absolute $
variables:
        VERB_VARIABLES
name_kind:      resd 1
refused:        resd 1
saved_stack:    resd 1
arguments:      resd MOST_ARGUMENTS+1
rests:          resd MOST_ARGUMENTS+1
exec_block:     resw 1                  ; the environment: ours
exec_tail:      resw 2
exec_fcb1:      resw 2
exec_fcb2:      resw 2
                resw 1
words:          resb TAIL_BYTES+2
child_tail:     resb TAIL_BYTES+3
path:           resb PATH_BYTES+TAIL_BYTES+8
variables_end:
buffer:         resb BUFFER_BYTES
                resb STACK_BYTES
stack_top:
