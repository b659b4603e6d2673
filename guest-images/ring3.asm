; The backdoor port from ring 3, first with IOPL 0, then with IOPL 3: texts inside a page, across pages, running into a missing page and
; into the supervisor's memory, with TOUCH. The kernel prints every status; a #GP at the IN counts as status "denied by the CPU" (deadffff).
; Ends with: "ring3: done"
%include "lib/boot.inc"
%include "lib/port.inc"

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

DIRECTORY       equ 0x100000
TABLE           equ 0x101000            ; identity, 0 to 4 MiB: supervisor, but for what the task may use
WINDOW          equ 0x102000            ; 40000000h
TSS             equ 0x103000
TASK_CODE       equ 0x40000000          ; a copy of the task
TASK_STACK      equ 0x40002000          ; its top
TEXT_PAGE       equ 0x40003000          ; 40003000h and 40004000h mapped, 40005000h not, 40006000h supervisor's
USER_FRAMES     equ 0x180000
KERNEL_STACK    equ 0x7000

flat:
        call    serial_init
        mov     al, 13
        mov     edx, on_protection
        call    set_gate
        mov     al, 14
        mov     edx, on_page_fault
        call    set_gate
        mov     al, 0x80
        mov     edx, on_call
        call    set_gate
        mov     word [IDT+0x80*8+4], 0xEE00     ; ring 3 may
        mov     edi, DIRECTORY
        xor     eax, eax
        mov     ecx, 4*1024
        rep     stosd
        mov     edi, TABLE
        mov     eax, 3
.identity:
        stosd
        add     eax, 0x1000
        cmp     eax, 0x400000
        jb      .identity
        mov     dword [DIRECTORY], TABLE | 7
        mov     dword [DIRECTORY + (TASK_CODE >> 22)*4], WINDOW | 7
        mov     dword [WINDOW+0*4], USER_FRAMES | 5             ; code, read only
        mov     dword [WINDOW+1*4], USER_FRAMES+0x1000 | 7      ; stack
        mov     dword [WINDOW+3*4], USER_FRAMES+0x3000 | 7      ; text
        mov     dword [WINDOW+4*4], USER_FRAMES+0x9000 | 7      ; text, not the next frame
        mov     dword [WINDOW+6*4], USER_FRAMES+0x6000 | 3      ; supervisor's
        mov     eax, DIRECTORY
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     .paged
.paged:
        mov     esi, task
        mov     edi, USER_FRAMES
        mov     ecx, task_end-task
        rep     movsb
        ; "across-pages" ends the first page of text with "across" and starts the second with "-pages"; "end" ends the second
        mov     dword [USER_FRAMES+0x3000], 'plai'
        mov     byte [USER_FRAMES+0x3004], 'n'
        mov     dword [USER_FRAMES+0x3FFA], 'acro'
        mov     word [USER_FRAMES+0x3FFE], 'ss'
        mov     dword [USER_FRAMES+0x9000], '-pag'
        mov     word [USER_FRAMES+0x9004], 'es'
        mov     dword [USER_FRAMES+0x9FFC], 'tail'
        mov     dword [USER_FRAMES+0x6000], 'secr'
        ; task register
        mov     dword [TSS+4], KERNEL_STACK
        mov     dword [TSS+8], KERNEL_DATA
        mov     dword [TSS+0x64], 104 << 16     ; no I/O permission map
        mov     dword [gdt_task], ((TSS & 0xFFFF) << 16) | 103
        mov     dword [gdt_task+4], ((TSS >> 16) & 0xFF) | 0x8900
        mov     ax, TASK
        ltr     ax
        REEL_TEXT REEL_START, 'ring3'
        PRINT   'start '
        call    put_hex
        call    put_line
        PRINT   'iopl 0', 13, 10
        mov     eax, 0x0002
        call    run_task
        PRINT   'iopl 3', 13, 10
        mov     dword [WINDOW+5*4], 0   ; what TOUCH brought in
        mov     eax, cr3
        mov     cr3, eax
        mov     eax, 0x3002
        call    run_task
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        PRINT   'stop '
        call    put_hex
        call    put_line
        PRINT   'ring3: done', 13, 10
        jmp     power_off

; EAX = EFLAGS of the task; comes back when it asks to end.
run_task:
        pushad
        mov     [back], esp
        push    dword USER_DATA
        push    dword TASK_STACK
        push    eax
        push    dword USER_CODE
        push    dword TASK_CODE
        mov     ax, USER_DATA
        mov     ds, ax
        mov     es, ax
        iretd

; INT 80h: EAX = 0: end; EAX = 1: show EBX under the name ESI (in the kernel's image).
on_call:
        push    ds
        push    es
        push    eax
        mov     ax, KERNEL_DATA
        mov     ds, ax
        mov     es, ax
        pop     eax
        test    eax, eax
        jz      .end
        push    eax
        call    put_text
        mov     al, ' '
        call    put_char
        mov     eax, ebx
        call    put_hex
        cmp     dword [touched], 0
        je      .no_touch
        PRINT   ' after a page fault'
        mov     dword [touched], 0
.no_touch:
        call    put_line
        pop     eax
        pop     es
        pop     ds
        iretd
.end:
        mov     esp, [back]
        popad
        ret

; The IN is one byte long.
on_protection:
        push    eax
        mov     ax, KERNEL_DATA
        mov     ds, ax
        mov     es, ax
        mov     eax, [esp+8]
        cmp     byte [eax], 0xED
        jne     .other
        inc     dword [esp+8]
        mov     ax, USER_DATA
        mov     ds, ax
        mov     es, ax
        pop     eax
        mov     eax, 0xDEADFFFF
        add     esp, 4
        iretd
.other:
        pop     eax
        jmp     exception_stubs + 13*8

; Maps the missing page of text, and counts. The task's other faults are its end.
on_page_fault:
        push    eax
        mov     ax, KERNEL_DATA
        mov     ds, ax
        mov     es, ax
        mov     eax, cr2
        and     eax, 0xFFFFF000
        cmp     eax, TEXT_PAGE+0x2000
        jne     .other
        mov     dword [WINDOW+5*4], USER_FRAMES+0xA000 | 7
        mov     dword [USER_FRAMES+0xA000], '-end'
        inc     dword [touched]
        mov     ax, USER_DATA
        mov     ds, ax
        mov     es, ax
        pop     eax
        add     esp, 4
        iretd
.other:
        pop     eax
        jmp     exception_stubs + 14*8

        align   4, db 0
back:           dd 0
touched:        dd 0
name_status:    db 'STATUS', 0
name_plain:     db 'MARK plain', 0
name_across:    db 'MARK across pages', 0
name_missing:   db 'MARK into a missing page', 0
name_offset:    db ' missing at', 0
name_secret:    db 'MARK of the supervisor', 0
name_touch:     db 'MARK with TOUCH', 0
name_exit:      db 'LOG from nowhere', 0

; ---- the task: copied to TASK_CODE, so that it only jumps within itself --------------------------------------------

; SHOW name: EAX
%macro SHOW 1
        push    ebx
        mov     ebx, eax
        mov     esi, %1
        mov     eax, 1
        int     0x80
        pop     ebx
%endmacro

task:
        REEL_CALL REEL_STATUS
        SHOW    name_status
        mov     ebx, 1
        mov     esi, TEXT_PAGE
        mov     edi, 5
        REEL_CALL REEL_MARK
        SHOW    name_plain
        mov     ebx, 2
        mov     esi, TEXT_PAGE+0xFFA
        mov     edi, 12
        REEL_CALL REEL_MARK
        SHOW    name_across
        mov     ebx, 3
        mov     esi, TEXT_PAGE+0x1FFC
        mov     edi, 8
        REEL_CALL REEL_MARK
        SHOW    name_missing
        mov     eax, ebx                ; offset of the missing page
        SHOW    name_offset
        mov     esi, TEXT_PAGE+0x3000
        mov     edi, 4
        REEL_CALL REEL_MARK
        SHOW    name_secret
        mov     ebx, 4
        mov     esi, TEXT_PAGE+0x1FFC
        mov     edi, 8
        REEL_CALL REEL_MARK, REEL_FLAG_TOUCH
        SHOW    name_touch
        mov     esi, 0xFFFFFFF0
        mov     edi, 64
        REEL_CALL REEL_LOG
        SHOW    name_exit
        xor     eax, eax
        int     0x80
task_end:

%include "lib/end.inc"
