; Timer interrupts at 100 Hz, and an echo of what comes in on COM1 by the UART's interrupt. The hash covers every byte
; together with the number of timer interrupts before it: it depends on when input arrives.
; Prints a line with the hash for every line received. 'q' ends it.
; Ends with: "timer-echo: done, N bytes, hash H"
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
        mov     al, IRQ_BASE+4
        mov     edx, on_serial
        call    set_gate
        mov     eax, 11932              ; 100 Hz
        call    timer_init
        mov     dx, COM1+1
        mov     al, 0x01                ; received data
        out     dx, al
        mov     al, 0xEE                ; IRQ 0 and 4
        out     0x21, al
        PRINT   'timer-echo: ready', 13, 10
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
        movzx   ebx, bx
        and     ebx, 0xFFF
        mov     al, [queue+ebx]
        call    put_char
        cmp     al, 'q'
        je      .done
        cmp     al, 13
        jne     .next
        mov     al, 10
        call    put_char
        PRINT   'hash '
        mov     eax, [hash]
        call    put_hex
        call    put_line
        jmp     .next
.done:
        cli
        call    put_line
        PRINT   'timer-echo: done, '
        mov     eax, [taken]
        call    put_number
        PRINT   ' bytes, hash '
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

; Takes everything the FIFO has. The hash is FNV-1a over byte and tick count.
on_serial:
        pushad
.more:
        mov     dx, COM1+5
        in      al, dx
        test    al, 1
        jz      .empty
        mov     dx, COM1
        in      al, dx
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
        jmp     .more
.empty:
        mov     dx, COM1+2
        in      al, dx
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
