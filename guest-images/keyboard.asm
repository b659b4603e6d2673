; Scan codes of the keyboard by IRQ 1: one line for each, and a hash over codes and timer interrupts. Esc ends it.
; Ends with: "keyboard: done, N codes, hash H"
%include "lib/boot.inc"

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
        mov     al, IRQ_BASE+0
        mov     edx, on_timer
        call    set_gate
        mov     al, IRQ_BASE+1
        mov     edx, on_key
        call    set_gate
        mov     eax, 11932
        call    timer_init
        mov     al, 0xFC                ; IRQ 0 and 1
        out     0x21, al
        PRINT   'keyboard: ready', 13, 10
        sti
.next:
        cli
        mov     ebx, [taken]
        cmp     ebx, [received]
        jne     .take
        sti
        hlt
        jmp     .next
.take:
        sti
        inc     dword [taken]
        and     ebx, 0xFFF
        movzx   eax, byte [queue+ebx]
        PRINT   'scan '
        call    put_hex
        call    put_line
        cmp     al, 0x01
        jne     .next
        cli
        PRINT   'keyboard: done, '
        mov     eax, [taken]
        call    put_number
        PRINT   ' codes, hash '
        mov     eax, [hash]
        call    put_hex
        call    put_line
        jmp     power_off

on_timer:
        push    eax
        inc     dword [ticks]
        mov     al, 0x20
        out     0x20, al
        pop     eax
        iretd

on_key:
        pushad
        in      al, 0x64
        test    al, 1
        jz      .none
        in      al, 0x60
        mov     ebx, [received]
        and     ebx, 0xFFF
        mov     [queue+ebx], al
        inc     dword [received]
        movzx   eax, al
        xor     eax, [hash]
        imul    eax, eax, 0x01000193
        xor     eax, [ticks]
        imul    eax, eax, 0x01000193
        mov     [hash], eax
.none:
        mov     al, 0x20
        out     0x20, al
        popad
        iretd

        align   4, db 0
ticks:          dd 0
received:       dd 0
taken:          dd 0
hash:           dd 0x811C9DC5

queue           equ 0x20000             ; 4 KiB
%include "lib/end.inc"
