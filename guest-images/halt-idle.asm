; Does nothing: halts until the timer has called as often as the parameter at offset 8 says (18.2 times a second).
; Ends with: "halt-idle: done, N interrupts"
%define PARAMETER_1 50
%define PARAMETER_2 0
%include "lib/boot.inc"

main:
        call    serial_init
        PRINT   'halt-idle: start', 13, 10
        mov     ah, 0x00
        int     0x1A
        mov     [last], dx
        xor     ecx, ecx
.wait:
        hlt                             ; other interrupts may wake us, too
        push    ecx
        mov     ah, 0x00
        int     0x1A
        pop     ecx
        cmp     dx, [last]
        je      .wait
        mov     [last], dx
        inc     ecx
        cmp     ecx, [parameter_1]
        jb      .wait
        PRINT   'halt-idle: done, '
        mov     eax, ecx
        call    put_number
        PRINT   ' interrupts', 13, 10
        jmp     power_off

last:           dw 0

%include "lib/console.inc"
%include "lib/end.inc"
