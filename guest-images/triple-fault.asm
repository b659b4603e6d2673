; An exception without an IDT: the CPU shuts down.
; Prints "triple-fault: now", then the machine ends with a triple fault.
%include "lib/boot.inc"

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
        PRINT   'triple-fault: now', 13, 10
        lidt    [.nothing]
        int3
        PRINT   'triple-fault: still there', 13, 10
        jmp     power_off
        align   8, db 0
.nothing:
        dw      0
        dd      0

%include "lib/end.inc"
