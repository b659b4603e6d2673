; The parallel port, the serial ports beyond the second, and the mouse, all by interrupts.
; Prints a line, sends a line on COM3 and COM4 and echoes what comes there, then tells each packet of the mouse, which has a wheel.
; Both buttons at once end it. Ends with: "ports: done"
%include "lib/boot.inc"

LPT             equ 0x378
COM3            equ 0x3E8
COM4            equ 0x2E8

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
        mov     al, IRQ_BASE+3
        mov     edx, on_com4
        call    set_gate
        mov     al, IRQ_BASE+4
        mov     edx, on_com3
        call    set_gate
        mov     al, IRQ_BASE+7
        mov     edx, on_printer
        call    set_gate
        mov     al, IRQ_BASE+12
        mov     edx, on_mouse
        call    set_gate
        mov     al, 0x63                ; IRQ 2, 3, 4, 7
        out     0x21, al
        mov     al, 0xEF                ; IRQ 12
        out     0xA1, al
        sti

        ; a character for each interrupt
        mov     dx, LPT+2
        mov     al, 0x1C                ; selected, not initialising, interrupts
        out     dx, al
        mov     esi, page
.print:
        lodsb
        test    al, al
        jz      .printed
        mov     dx, LPT
        out     dx, al
        mov     dx, LPT+2
        mov     al, 0x1D
        out     dx, al
        mov     al, 0x1C
        out     dx, al
.wait:
        cli
        cmp     dword [acknowledged], 0
        jne     .acknowledged
        sti
        hlt
        jmp     .wait
.acknowledged:
        sti
        dec     dword [acknowledged]
        jmp     .print
.printed:

        mov     ebp, COM3
        mov     bl, '3'
        call    serial_port
        mov     ebp, COM4
        mov     bl, '4'
        call    serial_port

        call    mouse_init
        PRINT   'ports: ready', 13, 10
.packet:
        mov     ebx, 4
        xor     ecx, ecx
.byte:
        cli
        mov     eax, [taken]
        cmp     eax, [received]
        jne     .take
        sti
        hlt
        jmp     .byte
.take:
        sti
        inc     dword [taken]
        and     eax, 0xFF
        movzx   eax, byte [queue+eax]
        shl     ecx, 8
        or      ecx, eax
        dec     ebx
        jnz     .byte
        PRINT   'mouse '
        mov     eax, ecx
        call    put_hex
        call    put_line
        shr     ecx, 24
        and     cl, 3
        cmp     cl, 3
        jne     .packet
        PRINT   'ports: done', 13, 10
        jmp     power_off

; EBP port, BL its digit: tells its name there, and interrupts from now on.
serial_port:
        lea     edx, [ebp+3]
        mov     al, 0x03
        out     dx, al
        lea     edx, [ebp+4]
        mov     al, 0x0B                ; DTR, RTS, OUT2
        out     dx, al
        lea     edx, [ebp+1]
        mov     al, 0x01                ; received data
        out     dx, al
        mov     esi, hello
        mov     [hello+3], bl
        mov     edx, ebp
.next:
        lodsb
        test    al, al
        jz      .done
        out     dx, al
        jmp     .next
.done:
        ret

; Streaming, with a wheel.
mouse_init:
        mov     al, 0xA8
        call    controller
        mov     al, 0x60                ; interrupts of both, translation
        call    controller
        mov     al, 0x47
        call    controller_data
        mov     esi, knock
.next:
        lodsb
        test    al, al
        jz      .done
        mov     ah, al
        mov     al, 0xD4
        call    controller
        mov     al, ah
        call    controller_data
.answer:
        mov     eax, [received]
        cmp     eax, [taken]
        je      .answer
        mov     [taken], eax
        jmp     .next
.done:
        ret

controller:
        push    eax
.wait:
        in      al, 0x64
        test    al, 2
        jnz     .wait
        pop     eax
        out     0x64, al
        ret

controller_data:
        push    eax
.wait:
        in      al, 0x64
        test    al, 2
        jnz     .wait
        pop     eax
        out     0x60, al
        ret

on_printer:
        push    eax
        push    edx
        mov     dx, LPT+1
        in      al, dx
        inc     dword [acknowledged]
        mov     al, 0x20
        out     0x20, al
        pop     edx
        pop     eax
        iretd

on_com3:
        push    ebp
        mov     ebp, COM3
        jmp     echo
on_com4:
        push    ebp
        mov     ebp, COM4
echo:
        push    eax
        push    edx
.next:
        lea     edx, [ebp+5]
        in      al, dx
        test    al, 1
        jz      .done
        mov     edx, ebp
        in      al, dx
        out     dx, al
        jmp     .next
.done:
        mov     al, 0x20
        out     0x20, al
        pop     edx
        pop     eax
        pop     ebp
        iretd

on_mouse:
        push    eax
        push    ebx
        in      al, 0x60
        mov     ebx, [received]
        and     ebx, 0xFF
        mov     [queue+ebx], al
        inc     dword [received]
        mov     al, 0x20
        out     0xA0, al
        out     0x20, al
        pop     ebx
        pop     eax
        iretd

page:           db 'a page', 12, 0
hello:          db 'com0', 13, 10, 0
knock:          db 0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF4, 0

        align   4, db 0
acknowledged:   dd 0
received:       dd 0
taken:          dd 0
queue:          times 256 db 0
%include "lib/end.inc"
