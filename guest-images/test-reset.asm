; Resets the machine twice: through the keyboard controller, then through port 92h. RAM keeps the number of boots.
; Ends with: "reset: boot 3"
%include "lib/boot.inc"

BOOTS           equ 0x90000             ; number of boots, its complement

main:
        call    serial_init
        mov     ax, BOOTS >> 4
        mov     es, ax
        mov     eax, [es:0]
        mov     ebx, [es:4]
        not     ebx
        cmp     eax, ebx
        je      .counted
        xor     eax, eax
.counted:
        inc     eax
        mov     [es:0], eax
        mov     ebx, eax
        not     ebx
        mov     [es:4], ebx
        mov     ebx, eax
        PRINT   'reset: boot '
        call    put_number
        call    put_line
        cmp     ebx, 2
        jb      .keyboard
        je      .port92
        jmp     power_off
.keyboard:
        mov     al, 0xFE                ; pulse the reset line
        out     0x64, al
        jmp     $
.port92:
        in      al, 0x92
        or      al, 1
        out     0x92, al
        jmp     $

%include "lib/console.inc"
%include "lib/end.inc"
