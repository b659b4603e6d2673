; Halts with interrupts off: only a reset wakes the CPU.
; Prints "halt: now", then the machine is halted.
%include "lib/boot.inc"

main:
        call    serial_init
        PRINT   'halt: now', 13, 10
        cli
.again:
        hlt
        PRINT   'halt: woken', 13, 10
        jmp     .again

%include "lib/console.inc"
%include "lib/end.inc"
